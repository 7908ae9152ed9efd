//! The operating system's errors for unreachable servers, as sentences that say what to do.

use std::io;

/// Returns advice for a server that can't be reached.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => "nobody listens there: is it running, and is the address right?",
        Kind::NotFound => "its socket isn't there: is it running, and is the path right?",
        Kind::PermissionDenied => {
            "it may not be reached from here: check the permissions of its socket, or the firewall"
        }
        Kind::TimedOut => {
            "it doesn't answer in time: check the address, what stands between (firewall, \
             security group), and whether the server is stuck"
        }
        Kind::NetworkUnreachable | Kind::HostUnreachable => {
            "no network leads there: check the address, and this machine's network"
        }
        Kind::AddrNotAvailable => "this machine has no address or port left to call from",
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof => {
            "it hangs up at once: the server may be starting or full, or a proxy stands there \
             with no server behind it"
        }
        _ if is_unknown_name(error) => {
            "its name isn't known: check the spelling, and this machine's name server (DNS)"
        }
        _ => "check that it runs, and that the address is right",
    }
}

/// Returns `true` for a name that can't be resolved, which has no error kind of its own.
fn is_unknown_name(error: &io::Error) -> bool {
    let text = error.to_string();
    text.starts_with("failed to lookup address") || text.starts_with("could not resolve")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_sentence() {
        for (kind, told) in [
            (io::ErrorKind::ConnectionRefused, "is it running"),
            (io::ErrorKind::NotFound, "socket"),
            (io::ErrorKind::TimedOut, "in time"),
            (io::ErrorKind::HostUnreachable, "no network"),
            (io::ErrorKind::UnexpectedEof, "hangs up"),
            (io::ErrorKind::Other, "check that it runs"),
        ] {
            assert!(advice(&io::Error::from(kind)).contains(told), "{kind:?}");
        }
        let unknown = std::net::ToSocketAddrs::to_socket_addrs("no.such.host.invalid:1");
        assert!(advice(&unknown.unwrap_err()).contains("DNS"));
    }
}
