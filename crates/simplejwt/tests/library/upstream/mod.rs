//! Upstream's own tests (djangorestframework-simplejwt 5.5.1), re-stated. Each test names the one
//! of upstream's that it stands for; where the outcome differs on purpose, `DIFFERENCE:` says why.
//!
//! What can't apply here:
//!
//! | upstream | reason |
//! |---|---|
//! | `test_init.py` | the version of an installed Python package |
//! | `test_migrations.py`, `TestPopulateJtiHexMigration`, `TestBigAutoFieldIDMigration` | Django's migration framework |
//! | `test_type_checking` (tokens, models) | reloading Python modules |
//! | `test_init_no_token_type_or_lifetime` | `TokenType` demands both at compile time |
//! | `test_init_bad_sig_token_given_no_verify`, `…_no_verify` of backends | there is no decoding without verifying |
//! | `test_repr`, `test_get_token_backend` | Python object mechanics |
//! | `test_check_token_if_wrong_type_leeway`, the leeway's Python types | `leeway` is a `Duration` |
//! | `test_init_fails_for_rs_algorithms_when_crypto_not_installed`, `test_jwk_client_not_available`, `test_token_encode_should_return_str_for_old_PyJWT`, `test_decode_when_algorithm_not_available` | every algorithm is always there |
//! | `test_token_blacklist_old_django`, `…_expected_str` | Django's app configuration and admin |
//! | `test_custom_tokenuser`, `TestCustomTokenView`, `TestTokenViewBase` | import strings of Python classes |
//! | `test_models.py`: `test_eq…`, `test_hash`, `test_not_implemented`, `test_groups`, permissions, `test_is_anonymous`, `test_is_authenticated` | `TokenUser` imitates Django's user class; here it is `Token<Access>` |
//! | `TestMakeUtc`, `TestAwareUtcnow` | `USE_TZ`: a `Timestamp` is UTC |
//! | `TestFormatLazy` | lazily translated texts |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod authentication;
mod backends;
mod models;
mod serializers;
mod token_blacklist;
mod tokens;
mod utils;
#[cfg(feature = "axum")]
mod views;
