//! Servers' certificates of every sort and what `sslmode` makes of them, as libpq does; clients'
//! own; and channel binding.

use std::path::{Path, PathBuf};

use crate::servers::{connect, refused, told};
use crate::support::certificates::Certificates;
use crate::support::instance::Instance;
use crate::support::pause;

/// A server whose certificate is changed while it runs.
struct Server {
    instance: Instance,
    data: PathBuf,
    port: u16,
}

impl Server {
    fn up(name: &str) -> Self {
        let instance = Instance::up(name);
        let socket = Path::new(instance.variable("SIMPLEJWT_TEST_POSTGRES_SOCKET"));
        let data = socket.parent().unwrap().join("data");
        let port = instance.url().rsplit_once(':').unwrap().1;
        let port = port.split('/').next().unwrap().parse().unwrap();
        Self { instance, data, port }
    }

    fn url(&self, host: &str, parameters: &str) -> String {
        format!("postgres://simplejwt:simplejwt@{host}:{}/simplejwt?{parameters}", self.port)
    }

    async fn execute(&self, sql: &str) {
        crate::support::postgres::execute(self.instance.url(), sql).await;
    }

    /// What the server has to say of `pg_hba.conf` as it is now.
    async fn unreadable_rules(&self) -> Vec<String> {
        let client = super::support::postgres::client(self.instance.url()).await;
        let sql = "SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL";
        client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Reads its files anew, and returns when it has.
    async fn reload(&self) {
        let (client, connection) =
            tokio_postgres::connect(self.instance.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let before: String = client
            .query_one("SELECT pg_conf_load_time()::text FROM pg_reload_conf()", &[])
            .await
            .unwrap()
            .get(0);
        loop {
            let (client, connection) =
                tokio_postgres::connect(self.instance.url(), tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let row = client.query_one("SELECT pg_conf_load_time()::text", &[]).await.unwrap();
            if row.get::<_, String>(0) != before {
                return;
            }
            pause().await;
        }
    }

    async fn show(&self, made: &Certificates, name: &str) {
        made.give(name, &self.data);
        self.reload().await;
        // One that the server refuses to read would leave the last one in place.
        let place = format!("127.0.0.1:{}", self.port);
        made.run(&format!(
            "openssl s_client -starttls postgres -connect {place} </dev/null 2>log >shown; openssl \
             x509 -in shown -outform DER -out shown.der; openssl x509 -in {name}.crt -outform DER \
             -out named.der; cmp shown.der named.der >>log"
        ));
    }
}

/// What each mode comes to: connected, or a part of the sentence.
struct Case(&'static str, &'static [(&'static str, Result<(), &'static str>)]);

const OK: Result<(), &str> = Ok(());
/// Nothing is verified, so that nothing is wrong.
const NOTHING: (&str, Result<(), &str>) = ("", OK);

/// `@` stands before the name of a file of authorities.
const CASES: &[Case] = &[
    Case(
        "good",
        &[
            ("sslmode=require&sslrootcert=@root", OK),
            ("sslmode=verify-full&sslrootcert=@root", OK),
            ("sslmode=require&channel_binding=require", OK),
            ("sslmode=verify-full&sslrootcert=@other", Err("sslrootcert")),
        ],
    ),
    Case(
        "v1",
        &[
            ("sslmode=prefer", OK),
            ("sslmode=require", OK),
            ("sslmode=require&sslrootcert=@root", OK),
            ("sslmode=verify-ca&sslrootcert=@root", OK),
            ("sslmode=verify-full&sslrootcert=@root", OK),
            ("sslmode=verify-full&sslrootcert=@both", OK),
            ("sslmode=require&channel_binding=require", OK),
            ("sslmode=verify-ca&sslrootcert=@other", Err("X.509 version 1")),
            ("sslmode=verify-ca", Err("X.509 version 1")),
        ],
    ),
    Case("v1-other", &[("sslmode=verify-ca&sslrootcert=@root", Err("-extfile"))]),
    Case("v1-impostor", &[("sslmode=verify-ca&sslrootcert=@root", Err("new key"))]),
    Case("v1-expired", &[("sslmode=verify-ca&sslrootcert=@root", Err("expired at 20"))]),
    Case(
        "cn-only",
        &[
            ("sslmode=verify-full&sslrootcert=@root", OK),
            ("host=127.0.0.1&sslmode=verify-full&sslrootcert=@root", Err("for localhost and not")),
        ],
    ),
    Case(
        "cn-address",
        &[
            ("host=127.0.0.1&sslmode=verify-full&sslrootcert=@root", OK),
            (
                "sslmode=verify-full&sslrootcert=@root",
                Err("is for 127.0.0.1 and not for localhost"),
            ),
        ],
    ),
    Case("cn-wildcard", &[("sslmode=verify-full&sslrootcert=@root", Err("is for *.localhost"))]),
    Case(
        "named-otherwise",
        &[
            ("sslmode=verify-ca&sslrootcert=@root", OK),
            ("sslmode=verify-full&sslrootcert=@root", Err("db.example.org and not for localhost")),
        ],
    ),
    Case("expired", &[("sslmode=verify-ca&sslrootcert=@root", Err("expired at 20"))]),
    Case("future", &[("sslmode=verify-ca&sslrootcert=@root", Err("valid from 2099-01-01T00"))]),
    Case("rsa", &[("sslmode=verify-full&sslrootcert=@root&channel_binding=require", OK)]),
    Case("p521", &[("sslmode=verify-full&sslrootcert=@root", OK)]),
    // Its authority's key is of another kind, which signs with a hash.
    Case("ed25519", &[("sslmode=verify-full&sslrootcert=@root&channel_binding=require", OK)]),
    Case("for-clients", &[("sslmode=verify-ca&sslrootcert=@root", Err("serverAuth"))]),
    Case("critical", &[("sslmode=verify-ca&sslrootcert=@root", Err("critical extension"))]),
    Case("garbage", &[("sslmode=require&channel_binding=require", OK)]),
    Case(
        "authority-too",
        &[
            ("sslmode=verify-full&sslrootcert=@root", OK),
            ("sslmode=verify-ca&sslrootcert=@other", Err("CA:TRUE")),
        ],
    ),
    Case(
        "below-chain",
        &[
            ("sslmode=verify-full&sslrootcert=@root", OK),
            ("sslmode=verify-ca&sslrootcert=@other", Err("issued by \"between\"")),
        ],
    ),
    Case(
        "below",
        &[
            ("sslmode=verify-full&sslrootcert=@both", OK),
            ("sslmode=verify-ca&sslrootcert=@root", Err("issued by \"between\"")),
        ],
    ),
    Case(
        "limited-chain",
        &[
            ("sslmode=verify-ca&sslrootcert=@root", OK),
            ("sslmode=verify-full&sslrootcert=@root", Err("limits of its authority")),
        ],
    ),
    Case(
        "self",
        &[
            ("sslmode=require&sslrootcert=@self", OK),
            ("sslmode=verify-ca&sslrootcert=@self", OK),
            ("sslmode=verify-full&sslrootcert=@self", OK),
            ("sslmode=verify-ca&sslrootcert=@root", Err("CA:TRUE")),
            ("host=127.0.0.1&sslmode=verify-full&sslrootcert=@self", Err("not for 127.0.0.1")),
        ],
    ),
    Case("self-named", &[("sslmode=verify-full&sslrootcert=@self-named", OK)]),
    Case(
        "self-leaf",
        &[
            ("sslmode=verify-full&sslrootcert=@self-leaf", OK),
            ("sslmode=verify-ca&sslrootcert=@root", Err("self-signed")),
        ],
    ),
    Case(
        "self-ed25519",
        &[
            ("sslmode=verify-full&sslrootcert=@self-ed25519", OK),
            // What it is signed with has no hash, and channel binding needs one.
            ("sslmode=require&channel_binding=require", Err("Ed25519")),
        ],
    ),
    Case("self-v1", &[("sslmode=verify-full&sslrootcert=@self-v1", OK)]),
    Case("self-expired", &[("sslmode=verify-ca&sslrootcert=@self-expired", Err("expired at 20"))]),
];

/// One server for all, since each takes its time to start.
#[tokio::test]
async fn certificates_of_every_sort() {
    let server = Server::up("pg-certs");
    let made = Certificates::new();
    each_is_taken_or_refused(&server, &made).await;
    a_clients_logs_in(&server, &made).await;
    the_documented_ones_are_taken(&server, &made).await;
    every_method_logs_in_or_is_refused(&server).await;
    prefer_goes_without_where_the_rules_want_that(&server).await;
}

async fn each_is_taken_or_refused(server: &Server, made: &Certificates) {
    let mut wrong = Vec::new();
    for Case(name, modes) in CASES {
        server.show(made, name).await;
        let all = std::iter::once(NOTHING).chain(modes.iter().copied());
        for (parameters, expected) in all {
            let (host, rest) = match parameters.strip_prefix("host=127.0.0.1&") {
                Some(rest) => ("127.0.0.1", rest),
                None => ("localhost", parameters),
            };
            let mut rest = rest.replace('@', &format!("{}/", made.named("")));
            if let Some(at) = rest.find("sslrootcert=") {
                let end = rest[at..].find('&').map_or(rest.len(), |end| at + end);
                rest.insert_str(end, ".crt");
            }
            let url = server.url(host, &rest);
            match (expected, connect(&url).await) {
                (Ok(()), Ok(_)) => {}
                (Ok(()), Err(error)) => wrong.push(format!("{name} {parameters}: {error}")),
                (Err(part), Ok(_)) => wrong.push(format!("{name} {parameters}: no {part}")),
                (Err(part), Err(error)) => {
                    let text = told(&error);
                    if !text.contains(part) || text.contains("is it running") {
                        wrong.push(format!("{name} {parameters}: {text}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn a_clients_logs_in(server: &Server, made: &Certificates) {
    server.show(made, "good").await;
    std::fs::copy(made.path("root.crt"), server.data.join("clients.crt")).unwrap();
    let rules = server.data.join("pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("hostssl all cert_user 127.0.0.1/32 cert\n{before}")).unwrap();
    server.execute("CREATE ROLE cert_user LOGIN").await;
    server
        .execute(&format!(
            "ALTER SYSTEM SET ssl_ca_file = '{}'",
            server.data.join("clients.crt").display()
        ))
        .await;
    server.reload().await;
    let url = |parameters: &str| {
        let files = parameters.replace('@', &format!("{}/", made.named("")));
        format!("postgres://cert_user@localhost:{}/simplejwt?sslmode=require{files}", server.port)
    };
    for good in [
        "&sslcert=@client.crt&sslkey=@client.key",
        "&sslcert=@client.crt&sslkey=@client-sec1.key",
        "&sslcert=@client-v1.crt&sslkey=@client-v1.key",
        // Both in one file.
        "&sslcert=@client-both.pem",
    ] {
        connect(&url(good)).await.unwrap_or_else(|error| panic!("{good}: {error:?}"));
    }
    for (wrong, told) in [
        ("", "sslcert and sslkey"),
        ("&sslcert=@client-other.crt&sslkey=@client-other.key", "doesn't take the client's"),
        ("&sslcert=@client.crt&sslkey=@good.key", "isn't that of the certificate"),
        ("&sslcert=@client.crt&sslkey=@client-encrypted.key", "openssl pkey"),
        ("&sslcert=@client.crt&sslkey=@client.crt", "no private key"),
        ("&sslcert=@client.key&sslkey=@client.key", "no certificate"),
        ("&sslcert=@nowhere.crt&sslkey=@client.key", "nowhere.crt"),
        ("&sslcert=@client.crt&sslkey=@nowhere.key", "nowhere.key"),
    ] {
        let text = refused(&url(wrong)).await;
        assert!(text.contains(told), "{wrong}: {text}");
    }
}

async fn every_method_logs_in_or_is_refused(server: &Server) {
    let rules = server.data.join("pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    let methods = [
        ("by_scram", "scram-sha-256", OK),
        ("by_md5", "md5", OK),
        ("by_password", "password", OK),
        ("by_trust", "trust", OK),
        ("by_gss", "gss", Err("GSSAPI")),
        ("by_nothing", "reject", Err("pg_hba.conf")),
    ];
    let mut lines = String::new();
    for (role, method, _) in methods {
        let encryption = if method == "md5" { "md5" } else { "scram-sha-256" };
        server
            .execute(&format!(
                "SET password_encryption = '{encryption}'; CREATE ROLE {role} LOGIN PASSWORD 'pw'"
            ))
            .await;
        lines += &format!("host all {role} 127.0.0.1/32 {method}\nlocal all {role} {method}\n");
    }
    let lines = lines.replace("local all by_gss gss\n", "");
    std::fs::write(&rules, lines.clone() + &before).unwrap();
    // One rule that the server can't read, and it keeps the old ones: not every build has GSSAPI.
    let gss = "host all by_gss 127.0.0.1/32 gss\n";
    let unreadable = server.unreadable_rules().await;
    let has_gss = unreadable.is_empty();
    if !has_gss {
        assert!(unreadable.iter().all(|error| error.contains("gss")), "{unreadable:?}");
        std::fs::write(&rules, lines.replace(gss, "") + &before).unwrap();
        assert_eq!(server.unreadable_rules().await, Vec::<String>::new());
    }
    server.reload().await;
    let socket = server.instance.variable("SIMPLEJWT_TEST_POSTGRES_SOCKET");
    for (role, method, expected) in methods {
        for url in [
            format!("postgres://{role}:pw@localhost:{}/simplejwt", server.port),
            format!("postgres://{role}:pw@localhost:{}/simplejwt?sslmode=disable", server.port),
            format!("postgres://{role}:pw@/simplejwt?host={socket}&port={}", server.port),
        ] {
            // Over a socket there is no such method.
            if method == "gss" && (url.contains("host=") || !has_gss) {
                continue;
            }
            match (connect(&url).await, expected) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(part)) => {
                    let text = told(&error);
                    assert!(text.contains(part), "{url}: {text}");
                    assert!(!error.is_transient(), "{url}: {text}");
                }
                (outcome, _) => panic!("{url}: {outcome:?}"),
            }
        }
    }
    std::fs::write(&rules, before).unwrap();
}

/// `prefer` is what one gets: with TLS where that is let in, without where it isn't.
/// The commands of docs/database-tls.md as they are printed.
async fn the_documented_ones_are_taken(server: &Server, made: &Certificates) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/database-tls.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [own, signed, client, look] = blocks[..] else { panic!("{blocks:?}") };
    let full = format!("sslmode=verify-full&sslrootcert={}", made.named("server.crt"));
    made.run(own);
    server.show(made, "server").await;
    connect(&server.url("localhost", &full)).await.unwrap();
    made.run(signed);
    server.show(made, "server").await;
    let full = full.replace("server.crt", "root.crt");
    connect(&server.url("localhost", &full)).await.unwrap();
    connect(&server.url("127.0.0.1", &full)).await.unwrap();
    made.run(client);
    std::fs::copy(made.path("root.crt"), server.data.join("clients.crt")).unwrap();
    let rules = server.data.join("pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("hostssl all simplejwt 127.0.0.1/32 cert\n{before}")).unwrap();
    server.reload().await;
    let (certificate, key) = (made.named("client.crt"), made.named("client.key"));
    let url = server.url("localhost", &format!("{full}&sslcert={certificate}&sslkey={key}"));
    connect(&url).await.unwrap();
    // Its own rules let nobody in by a password, the test neither.
    let without = refused(&server.url("localhost", &full)).await;
    assert!(without.contains("sslcert"), "{without}");
    std::fs::write(&rules, before).unwrap();
    made.run(look);
}

async fn prefer_goes_without_where_the_rules_want_that(server: &Server) {
    let rules = server.data.join("pg_hba.conf");
    let url = |mode: &str| server.url("127.0.0.1", &format!("sslmode={mode}"));
    let line = "host all all 127.0.0.1/32 scram-sha-256";
    let socket = "local all all trust";
    std::fs::write(&rules, format!("{}\n{socket}\n", line.replace("host", "hostnossl"))).unwrap();
    server.reload().await;
    connect(&url("prefer")).await.unwrap();
    connect(&url("disable")).await.unwrap();
    let text = refused(&url("require")).await;
    assert!(text.contains("pg_hba.conf"), "{text}");
    server.execute("ALTER SYSTEM SET ssl = off").await;
    server.reload().await;
    connect(&url("prefer")).await.unwrap();
    let text = refused(&url("require")).await;
    assert!(text.contains("has no TLS"), "{text}");
}
