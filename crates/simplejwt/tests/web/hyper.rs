//! The example `hyper_server`, on a real socket.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

#[expect(dead_code, unreachable_pub, reason = "the example's main isn't called")]
#[path = "../../examples/hyper_server.rs"]
mod example;

use simplejwt::{Access, Auth, Refresh, Settings, Tokens};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

async fn get(address: std::net::SocketAddr, header: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn only_good_access_tokens_reach_the_service() {
    let tokens = Tokens::new(Settings {
        signing_key: Some("a secret of at least thirty-two bytes".into()),
        ..Settings::default()
    })
    .unwrap();
    let access = tokens.issue::<Access>("17");
    let sent = tokens.encode(&access).unwrap();
    let refresh = tokens.encode(&tokens.issue::<Refresh>("17")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let auth = Auth::new(tokens);
    let serving = async {
        let ended = example::serve(listener, auth).await.err().map(|error| error.to_string());
        panic!("the server ended: {ended:?}");
    };
    let asking = async {
        let answer = get(address, &format!("authorization: Bearer {sent}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with(&access.claims().to_json()), "{answer}");
        for header in ["", &format!("authorization: Bearer {refresh}\r\n")] {
            let answer = get(address, header).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            assert!(answer.contains("www-authenticate: Bearer realm=\"api\"\r\n"), "{answer}");
            assert!(!answer.contains("\"user_id\""), "{answer}");
        }
    };
    tokio::select! {
        () = serving => {}
        () = asking => {}
    }
}
