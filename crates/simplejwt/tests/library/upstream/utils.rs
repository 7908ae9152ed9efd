//! `test_utils.py`

use simplejwt::Timestamp;

/// `test_utils.py::TestDatetimeToEpoch` and `TestDatetimeFromEpoch`
#[test]
fn seconds_since_the_epoch_there_and_back() {
    for seconds in [0, 1, 946_684_800] {
        assert_eq!(Timestamp::from_secs(seconds).as_secs(), seconds);
        assert_eq!(Timestamp::from_secs(seconds).as_micros(), seconds * 1_000_000);
    }
}
