//! Certificates of every sort, made by openssl with the commands that people write.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::PathBuf;
use std::process::Command;

/// A folder with authorities (`root`, `other`) and servers' certificates, each as `NAME.crt` and
/// `NAME.key`.
pub(crate) struct Certificates {
    folder: tempfile::TempDir,
}

const SCRIPT: &str = r#"
exec 2>log
ec="ec -pkeyopt ec_paramgen_curve:P-256"
authority() { openssl req -x509 -newkey $ec -nodes -days 3650 -keyout $1.key -out $1.crt -subj "/CN=$2"; }
# NAME AUTHORITY SUBJECT EXTENSIONS DAYS KEY DIGEST
signed() {
    openssl req -new -newkey ${6:-$ec} -nodes -keyout $1.key -out $1.csr -subj "$3"
    printf "$4" > $1.ext
    extensions=; [ -z "$4" ] || extensions="-extfile $1.ext"
    openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial -days ${5:-30} \
        ${7:--sha256} -out $1.crt $extensions
}
own() { name=$1; shift; openssl req -x509 -newkey $ec -nodes -days 30 -keyout $name.key -out $name.crt -subj /CN=localhost "$@"; }
san="subjectAltName=DNS:localhost,IP:127.0.0.1\n"

authority root root
authority other other
authority impostor root
signed good root /CN=x "$san"
signed v1 root /CN=localhost ""
signed v1-other other /CN=localhost ""
signed v1-impostor impostor /CN=localhost ""
signed v1-expired root /CN=localhost "" -1
signed generated root /CN=MySQL_Server_9.7.4_Auto_Generated_Server_Certificate "basicConstraints=critical,CA:FALSE\n"
signed cn-only root /CN=localhost "basicConstraints=CA:FALSE\n"
signed cn-address root /CN=127.0.0.1 "basicConstraints=CA:FALSE\n"
signed cn-wildcard root "/CN=*.localhost" "basicConstraints=CA:FALSE\n"
signed named-otherwise root /CN=localhost "subjectAltName=DNS:db.example.org\n"
signed expired root /CN=x "$san" -1
signed rsa root /CN=x "$san" 30 rsa:2048
signed p521 root /CN=x "$san" 30 "ec -pkeyopt ec_paramgen_curve:P-521"
signed ed25519 root /CN=x "$san" 30 ed25519
signed for-clients root /CN=x "${san}extendedKeyUsage=clientAuth\n"
signed critical root /CN=x "${san}1.2.3.4=critical,ASN1:UTF8String:x\n"
signed garbage root /CN=x "${san}1.2.3.4=DER:ffffff\n2.5.29.35=DER:0500\n"
signed authority-too root /CN=x "${san}basicConstraints=critical,CA:TRUE\n"
signed between root /CN=between "basicConstraints=critical,CA:TRUE\n"
signed below between /CN=x "$san"
signed limited root /CN=limited "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:example.org\n"
signed below-limited limited /CN=localhost "basicConstraints=CA:FALSE\n"
cat root.crt between.crt > both.crt
cp below.key below-chain.key; cat below.crt between.crt > below-chain.crt
cp below-limited.key limited-chain.key; cat below-limited.crt limited.crt > limited-chain.crt
own self
own self-named -addext subjectAltName=DNS:localhost
own self-leaf -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost
openssl req -x509 -newkey ed25519 -nodes -days 30 -keyout self-ed25519.key -out self-ed25519.crt \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost
openssl req -new -newkey $ec -nodes -keyout self-v1.key -out self-v1.csr -subj /CN=localhost
openssl x509 -req -in self-v1.csr -signkey self-v1.key -days 30 -out self-v1.crt
openssl x509 -req -in self-v1.csr -signkey self-v1.key -days -1 -out self-expired.crt
cp self-v1.key self-expired.key
# Not valid yet: only openssl ca dates forward.
signed future root /CN=x "$san"
touch index.txt
openssl ca -batch -config /dev/stdin -cert root.crt -keyfile root.key -in future.csr -notext \
    -outdir . -startdate 20990101000000Z -enddate 20991231000000Z -out future.crt <<END
[ca]
default_ca = ca
[ca]
database = index.txt
rand_serial = yes
default_md = sha256
policy = policy
x509_extensions = names
[policy]
commonName = supplied
[names]
subjectAltName = DNS:localhost
END
# Clients.
signed client root /CN=cert_user "extendedKeyUsage=clientAuth\n"
signed client-v1 root /CN=cert_user ""
signed client-other other /CN=cert_user ""
openssl pkey -in client.key -aes256 -passout pass:x -out client-encrypted.key
openssl ec -in client.key -out client-sec1.key
cat client.crt client.key > client-both.pem
"#;

impl Certificates {
    /// Makes them all.
    pub(crate) fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        made.run(SCRIPT);
        made
    }

    /// Runs a shell script in the folder.
    pub(crate) fn run(&self, script: &str) {
        let mut sh = Command::new("sh");
        let done = sh.args(["-e", "-c", script]).current_dir(self.folder.path()).output().unwrap();
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(done.status.success(), "{log}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// For a URL.
    pub(crate) fn named(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Puts a certificate and its key where a server reads them, whose owner they keep.
    pub(crate) fn give(&self, name: &str, folder: &std::path::Path) {
        for (from, to) in [("crt", "server.pem"), ("key", "server.key")] {
            let content = std::fs::read(self.path(&format!("{name}.{from}"))).unwrap();
            std::fs::write(folder.join(to), content).unwrap();
        }
    }
}
