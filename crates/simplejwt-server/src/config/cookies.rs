//! How tokens travel: the settings of `[cookies]`, and who may ask from another origin.

use simplejwt::settings::{SameSite, Transport};

use super::item::Shown::{Default as Def, Example};
use super::item::{Item, item};
use super::value::{boolean, choice, list, text};

pub(super) static ITEMS: &[Item] = &[
    item(
        "server",
        "allowed_origins",
        "SIMPLEJWT_ALLOWED_ORIGINS",
        Def("[]"),
        "Origins of single-page applications that are served from elsewhere, as in \
         [\"https://app.example.com\"]: they may read answers and send credentials (CORS), and \
         with cookies their requests are not taken for forged.",
        |c, v| list(v).map(|origins| c.settings.allowed_origins = origins),
    ),
    item(
        "cookies",
        "transport",
        "SIMPLEJWT_TRANSPORT",
        Def("\"header\""),
        "How tokens travel: \"header\" as upstream, the access token in the authorization header \
         and issued tokens in bodies; \"cookie\" in cookies that no script can read, and in no \
         body; \"both\" by either.",
        |c, v| {
            let choices = [
                ("header", Transport::Header),
                ("cookie", Transport::Cookie),
                ("both", Transport::Both),
            ];
            c.settings.transport = choice(v, &choices)?;
            Ok(())
        },
    ),
    item(
        "cookies",
        "access_name",
        "SIMPLEJWT_COOKIE_ACCESS_NAME",
        Example("\"__Host-access\""),
        "The name of the access token's cookie. Default: \"access\" with the prefix that fits.",
        |c, v| text(v).map(|name| c.settings.cookies.access_name = Some(name)),
    ),
    item(
        "cookies",
        "refresh_name",
        "SIMPLEJWT_COOKIE_REFRESH_NAME",
        Example("\"__Secure-refresh\""),
        "The name of the refresh token's cookie. Default: \"refresh\" with the prefix that fits.",
        |c, v| text(v).map(|name| c.settings.cookies.refresh_name = Some(name)),
    ),
    item(
        "cookies",
        "secure",
        "SIMPLEJWT_COOKIE_SECURE",
        Def("true"),
        "Whether browsers send them over HTTPS alone; they take localhost for that.",
        |c, v| boolean(v).map(|on| c.settings.cookies.secure = on),
    ),
    item(
        "cookies",
        "same_site",
        "SIMPLEJWT_COOKIE_SAME_SITE",
        Def("\"lax\""),
        "Which pages they are sent from: \"strict\" those of this site, \"lax\" also when a link \
         leads here, \"none\" all; the latter for allowed_origins on another site.",
        |c, v| {
            let choices =
                [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
            c.settings.cookies.same_site = choice(v, &choices)?;
            Ok(())
        },
    ),
    item(
        "cookies",
        "domain",
        "SIMPLEJWT_COOKIE_DOMAIN",
        Example("\"example.com\""),
        "The domain whose hosts they are sent to. Default: this host alone.",
        |c, v| text(v).map(|domain| c.settings.cookies.domain = Some(domain)),
    ),
    item(
        "cookies",
        "refresh_path",
        "SIMPLEJWT_COOKIE_REFRESH_PATH",
        Example("\"/api/token/\""),
        "The path that the refresh token's cookie is sent to, as the browser sees it: where a \
         proxy changes paths. Default: the prefix of the token endpoints.",
        |c, v| text(v).map(|path| c.settings.cookies.refresh_path = Some(path)),
    ),
];
