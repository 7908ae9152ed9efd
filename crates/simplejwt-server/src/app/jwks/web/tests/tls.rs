//! Servers with certificates of an authority that the system doesn't trust.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::server::{answer, redirect, serve_in};
use super::*;

/// Makes an authority and a certificate for localhost in a directory.
fn issue(folder: &Path) -> Arc<rustls::ServerConfig> {
    let script = "\
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \
          -out ca.pem -subj '/CN=An authority of ours' -days 30 \
          -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'; \
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout c.key -out c.csr \
          -subj /CN=localhost; \
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > c.ext; \
        openssl x509 -req -in c.csr -CA ca.pem -CAkey ca.key -out c.pem -days 30 -extfile c.ext";
    let done = Command::new("sh").args(["-e", "-c", script]).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let certificate = CertificateDer::from_pem_file(folder.join("c.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("c.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

fn trusting(ca: Option<&Path>, url: &str) -> Web {
    let client = Client { ca: ca.map(Into::into), ..client() };
    Web::new(client, url.parse().unwrap(), None)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_in_place_of_the_systems() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = issue(ours.path());
    issue(theirs.path());
    let (address, _) = serve_in(Some(config), |_| answer("X-Nothing: 1", SET.as_bytes()));
    let url = format!("https://localhost:{}/", address.port());
    let ca = ours.path().join("ca.pem");
    assert_eq!(keys(&trusting(Some(&ca), &url)).await, Ok(1));
    for other in [None, Some(theirs.path().join("ca.pem"))] {
        let error = keys(&trusting(other.as_deref(), &url)).await.unwrap_err();
        assert!(error.contains("certificate"), "{error}");
    }
    // The certificate doesn't name the address.
    let by_address = format!("https://127.0.0.1:{}/", address.port());
    let error = keys(&trusting(Some(&ca), &by_address)).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");

    // The file is read at each fetch.
    let replaced = ours.path().join("replaced.pem");
    std::fs::copy(theirs.path().join("ca.pem"), &replaced).unwrap();
    let source = trusting(Some(&replaced), &url);
    keys(&source).await.unwrap_err();
    let both = [std::fs::read(&replaced).unwrap(), std::fs::read(&ca).unwrap()].concat();
    std::fs::write(&replaced, both).unwrap();
    assert_eq!(keys(&source).await, Ok(1));
    std::fs::write(&replaced, "not a certificate").unwrap();
    let error = keys(&source).await.unwrap_err();
    assert!(error.contains("jwk_url_ca") && error.contains("no certificate"), "{error}");
    std::fs::remove_file(&replaced).unwrap();
    let error = keys(&source).await.unwrap_err();
    assert!(error.contains("jwk_url_ca") && error.contains("No such file"), "{error}");
}

#[tokio::test]
async fn nothing_leads_from_https_to_http() {
    let folder = tempfile::tempdir().unwrap();
    let config = issue(folder.path());
    let (plain, asked) = server::serve(|_| answer("X-Nothing: 1", SET.as_bytes()));
    let location = format!("http://{plain}/jwks.json");
    let (address, _) = serve_in(Some(config), move |path| match path {
        "/moved" => redirect(&location),
        _ => {
            let issuer = "https://localhost";
            let json = serde_json::json!({"issuer": issuer, "jwks_uri": location});
            answer("X-Nothing: 1", json.to_string().as_bytes())
        }
    });
    let url = format!("https://localhost:{}/moved", address.port());
    let ca = folder.path().join("ca.pem");
    for allow_http in [false, true] {
        let client = Client { ca: Some(ca.clone()), allow_http, ..client() };
        let moved = Web::new(client.clone(), url.parse().unwrap(), None);
        let error = keys(&moved).await.unwrap_err();
        assert!(error.contains("from https to http"), "{error}");
        let issuer = Some("https://localhost".to_owned());
        let named = Web::new(client, url.replace("/moved", "/").parse().unwrap(), issuer);
        let error = keys(&named).await.unwrap_err();
        assert!(error.contains("but its jwks_uri is http"), "{error}");
    }
    assert_eq!(asked.lock().unwrap().len(), 0);
}
