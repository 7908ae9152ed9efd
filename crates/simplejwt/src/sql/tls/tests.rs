//! Handshakes with servers whose keys, signatures and versions no database's package has by
//! default: openssl's own test server presents them.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;

/// Killed when this is dropped.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(folder: &Path, script: &str) {
    let mut sh = Command::new("sh");
    let done = sh.args(["-e", "-c", script]).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn server(folder: &Path, more: &str) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-quiet", "-cert", "c.crt", "-key", "c.key", "-accept"])
        .arg(format!("127.0.0.1:{port}"))
        .args(["-cipher", "DEFAULT:@SECLEVEL=0"])
        .args(more.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Server(command.spawn().unwrap(), port)
}

/// Returns the outcome of a handshake.
async fn handshake(port: u16, options: &TlsOptions) -> Result<(), String> {
    let config = Arc::new(client_config(options).unwrap());
    let stream = loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
            break stream;
        }
    };
    let name = server_name("localhost", options.verify).unwrap();
    let connected = TlsConnector::from(config).connect(name, stream).await;
    connected.map(drop).map_err(|error| sentence(&error))
}

#[tokio::test]
async fn keys_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let nothing = TlsOptions { verify: Verify::Nothing, authorities: None, identity: None };
    let own = "-x509 -nodes -subj /CN=localhost -keyout c.key -out c.crt";
    let v1 = "openssl req -new -nodes -subj /CN=localhost -keyout c.key -out c.csr -newkey K; \
              openssl x509 -req -in c.csr -signkey c.key -out c.crt";
    let pss = "openssl req NEW -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048";
    let ec = "ec -pkeyopt ec_paramgen_curve:P-256";
    let good = Ok(());
    let weak: Result<(), &str> = Err("too weak");
    // The way it is created, further arguments of the server, and the outcomes if nothing is
    // verified and if the certificate itself is the authority.
    type Case<'a> = (&'a str, &'a str, Result<(), &'a str>, Result<(), &'a str>);
    let cases: [Case<'_>; 13] = [
        (&v1.replace('K', "rsa:1024"), "-tls1_2", good, weak),
        (&v1.replace('K', "rsa:1024"), "-tls1_3", good, weak),
        ("openssl req NEW -newkey rsa:2048 -md5", "", good, good),
        ("openssl req NEW -newkey rsa:2048 -sha1", "-tls1_2", good, good),
        (pss, "-tls1_3", good, good),
        (pss, "-tls1_2", Err("kind of key in common"), Err("kind of key in common")),
        ("openssl req NEW -newkey ed448", "", good, Err("kind of key in common")),
        ("openssl req NEW -newkey ed25519", "-tls1_2", good, good),
        ("openssl req NEW -newkey ec -pkeyopt ec_paramgen_curve:P-384", "-tls1_2", good, good),
        ("openssl req NEW -newkey ec -pkeyopt ec_paramgen_curve:P-521", "-tls1_3", good, good),
        (
            &format!("openssl req NEW -newkey {ec} -addext 1.2.3.4=critical,DER:ffffff"),
            "",
            good,
            good,
        ),
        (&v1.replace('K', ec), "-tls1_1", Err("TLS 1.2 or 1.3"), Err("TLS 1.2 or 1.3")),
        (&v1.replace('K', ec), "", good, good),
    ];
    for (made, more, expected, named) in cases {
        openssl(path, &made.replace("NEW", own));
        let server = server(path, more);
        let itself = TlsOptions {
            verify: Verify::Name,
            authorities: Some(path.join("c.crt")),
            identity: None,
        };
        for (options, expected) in [(&nothing, expected), (&itself, named)] {
            let outcome = handshake(server.1, options).await;
            match (&outcome, expected) {
                (Ok(()), Ok(())) => {}
                (Err(told), Err(part)) if told.contains(part) => {}
                _ => panic!("{made} {more} {:?}: {outcome:?}", options.verify),
            }
        }
    }
}

/// A server that presents another's certificate lacks its key.
#[test]
fn a_signature_by_another_key_is_refused() {
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::internal::msgs::codec::{Codec as _, Reader};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{DigitallySignedStruct, SignatureScheme};

    let folder = tempfile::tempdir().unwrap();
    let new = "openssl req -x509 -nodes -subj /CN=localhost -newkey ec -pkeyopt \
               ec_paramgen_curve:P-256 -keyout NAME.key -out NAME.crt; ";
    openssl(folder.path(), &(new.replace("NAME", "a") + &new.replace("NAME", "b")));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_file(folder.path().join("a.crt")).unwrap();
    let verifier = Verifier::new(Arc::clone(&provider), Verify::Nothing, Vec::new()).unwrap();
    for (key, expected) in [("a.key", true), ("b.key", false)] {
        let key = PrivateKeyDer::from_pem_file(folder.path().join(key)).unwrap();
        let key = provider.key_provider.load_private_key(key).unwrap();
        let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
        let signature = key.choose_scheme(&[scheme]).unwrap().sign(b"message").unwrap();
        let mut encoded = Vec::new();
        scheme.encode(&mut encoded);
        encoded.extend(u16::try_from(signature.len()).unwrap().to_be_bytes());
        encoded.extend(&signature);
        let signed = DigitallySignedStruct::read(&mut Reader::init(&encoded)).unwrap();
        let tls13 = verifier.verify_tls13_signature(b"message", &certificate, &signed);
        let tls12 = verifier.verify_tls12_signature(b"message", &certificate, &signed);
        assert_eq!((tls13.is_ok(), tls12.is_ok()), (expected, expected));
        let other = verifier.verify_tls13_signature(b"another", &certificate, &signed);
        assert!(other.is_err());
    }
}

#[test]
fn whatever_a_server_shows_is_read_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    openssl(
        folder.path(),
        "openssl req -x509 -nodes -subj /CN=localhost -newkey ec -pkeyopt \
         ec_paramgen_curve:P-256 -keyout c.key -out c.crt -addext subjectAltName=DNS:a,IP:::1",
    );
    let der = CertificateDer::from_pem_file(folder.path().join("c.crt")).unwrap();
    let look = |der: &[u8]| {
        let Some(certificate) = Certificate::read(der) else { return };
        let host = server_name("a", Verify::Name).unwrap();
        let _ = (names::fits(&certificate, &host), names::describe(&certificate));
        let _ = (certificate.validity(), certificate.issuer_name(), certificate.is_provable());
        let _ = (certificate.is_authority(), certificate.may(5), certificate.is_for(b"x"));
    };
    for at in 0..der.len() {
        for byte in [0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff] {
            let mut changed = der.to_vec();
            changed[at] = byte;
            look(&changed);
        }
        look(&der[..at]);
    }
}
