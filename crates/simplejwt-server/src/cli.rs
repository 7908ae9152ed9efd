//! The command line.

mod key;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config;

pub(crate) use key::{Key, PublicFormat, SecretFormat};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, or (migrate --check, token inspect, config check, doctor, health) the
     answer is no
  2  the command line is wrong
  3  the configuration is wrong
  4  the database can't be used
  5  the address can't be listened on";

const EXAMPLES: &str = "\
Examples:
  simplejwt quickstart                        set up everything and serve on 127.0.0.1:8000
  simplejwt serve --config simplejwt.toml     serve with this configuration
  DATABASE_URL=sqlite:////srv/db.sqlite3 SECRET_KEY=… simplejwt serve
                                              serve on Django's database, without a file";

/// A server for access and refresh tokens, compatible with djangorestframework-simplejwt.
#[derive(Debug, Parser)]
#[command(name = "simplejwt", version, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// The configuration file (see `simplejwt config example`). Without it, and if the environment
    /// names no database, ./simplejwt.toml or ./simplejwt-data/simplejwt.toml is read.
    #[arg(long, short, global = true, value_name = "FILE", env = config::CONFIG_FILE)]
    pub(crate) config: Option<PathBuf>,

    /// The realm to work on, of the configuration's [realms]. Default: that of the settings outside
    /// of [realms].
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) realm: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a directory with a configuration, a key, a database and a first user, and serve.
    Quickstart(Quickstart),
    /// Serve the token endpoints.
    #[command(after_help = "Examples:
  simplejwt serve --config /etc/simplejwt.toml
  SIMPLEJWT_BIND=0.0.0.0:8000 simplejwt serve --config /etc/simplejwt.toml

On SIGTERM the server sends proxies elsewhere for drain_delay (/readyz answers 503, and each
answer closes its connection), then stops accepting connections, finishes the requests in
flight, and exits with 0. SIGINT skips drain_delay. SIGHUP reads the certificate and the
configuration again.")]
    Serve,
    /// Check whether the server with this configuration is ready.
    #[command(after_help = "Examples:
  simplejwt health --config /etc/simplejwt.toml
  SIMPLEJWT_BIND=0.0.0.0:8000 simplejwt health

Asks /readyz at the address in `bind` on this machine. Prints the answer and exits with 0, or
prints what is wrong and exits with 1.")]
    Health,
    /// Create the tables that are missing. Django's own tables are used as they are.
    #[command(after_help = "Examples:
  simplejwt migrate --config simplejwt.toml
  simplejwt migrate --check && echo nothing to do
  simplejwt migrate --for-django && python manage.py migrate")]
    Migrate {
        /// Change nothing; exit with 1 if a table is missing.
        #[arg(long, conflicts_with = "for_django")]
        check: bool,
        /// Also record the tables created here as migrated, for Django, so that its own
        /// `manage.py migrate` continues from there. Can be repeated.
        #[arg(long)]
        for_django: bool,
    },
    /// Add and change users.
    #[command(subcommand, arg_required_else_help = true)]
    User(User),
    /// List, end and move sessions.
    #[command(subcommand, arg_required_else_help = true)]
    Session(Session),
    /// Inspect and blacklist tokens, and delete expired ones.
    #[command(subcommand, arg_required_else_help = true)]
    Token(Token),
    /// Generate keys, and print public keys.
    #[command(subcommand, arg_required_else_help = true)]
    Key(Key),
    /// Check and print the configuration.
    #[command(subcommand, arg_required_else_help = true)]
    Config(Config),
    /// Say what is in force, what is weak, and the lines that mend it.
    #[command(after_help = "Examples:
  simplejwt doctor --config /etc/simplejwt.toml
  simplejwt doctor --json | jq -r '.findings[] | select(.severity == \"warning\") | .code'

Looks at the configuration, the keys, the files and the database, and changes nothing. Exits with 0
if there are only notes, and with 1 if there is a warning or an error. What can't be looked at, such
as a database that is down, is `unknown`, which --strict counts as a warning. It prints no secret.")]
    Doctor(Doctor),
    /// Print a completion script for a shell.
    #[command(after_help = "Examples:
  simplejwt completions bash > /usr/share/bash-completion/completions/simplejwt
  simplejwt completions zsh > /usr/local/share/zsh/site-functions/_simplejwt
  simplejwt completions fish > ~/.config/fish/completions/simplejwt.fish")]
    Completions {
        /// The shell.
        #[arg(value_enum, value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command.
    #[command(after_help = "Example:
  simplejwt man /usr/local/share/man/man1 && man simplejwt-user-add")]
    Man {
        /// The directory; it is created if it doesn't exist.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  simplejwt quickstart
  simplejwt quickstart --dir /srv/tokens --bind 127.0.0.1:8080

Running it again uses what is there: nothing is overwritten. Of the environment variables, only
those of [server] and [log] have an effect; the directory has its own keys and database.")]
pub(crate) struct Quickstart {
    /// The directory; it is created if it doesn't exist.
    #[arg(long, value_name = "DIR", default_value = "simplejwt-data")]
    pub(crate) dir: PathBuf,
    /// The address to listen on, instead of the configured one.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<String>,
    /// Create everything, but don't serve.
    #[arg(long)]
    pub(crate) no_serve: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also exit with 1 if something could not be looked at.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user. Without an option, the command asks for the password on the terminal.
    #[command(after_help = "Examples:
  simplejwt user add alice
  simplejwt user add alice --generate-password
  printf %s \"$PASSWORD\" | simplejwt user add alice --password-stdin

A password is never an argument, because other users of the machine could read it. It must pass
Django's four default validators: at least eight characters, not only digits, not a common
password, and not too similar to the user's name or e-mail address.")]
    Add {
        /// The name that the user logs in with.
        #[arg(value_name = "NAME")]
        name: String,
        /// The e-mail address.
        #[arg(long, default_value = "")]
        email: String,
        /// Let the user use Django's admin.
        #[arg(long)]
        staff: bool,
        /// Give the user every permission.
        #[arg(long)]
        superuser: bool,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Give a user a new password.
    #[command(after_help = "Examples:
  simplejwt user set-password alice
  printf %s \"$PASSWORD\" | simplejwt user set-password alice --password-stdin")]
    SetPassword {
        /// The name that the user logs in with.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Delete a user, after ending the user's sessions. Registered tokens stay, without a user, as in
    /// Django. If rows of other tables refer to the user, they are named and nothing is deleted.
    #[command(after_help = "Examples:
  simplejwt user delete alice --yes
  simplejwt user disable alice      # keeps the row, and everything that refers to it

Without --yes, the command asks for confirmation on the terminal.")]
    Delete {
        /// The name that the user logs in with.
        #[arg(value_name = "NAME")]
        name: String,
        /// Don't ask.
        #[arg(long)]
        yes: bool,
    },
    /// Let a user log in again.
    #[command(after_help = "Example:\n  simplejwt user enable alice")]
    Enable {
        /// The name that the user logs in with.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Stop a user from logging in and refreshing.
    #[command(after_help = "Example:\n  simplejwt user disable alice")]
    Disable {
        /// The name that the user logs in with.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the users.
    #[command(after_help = "Example:\n  simplejwt user list --config simplejwt.toml")]
    List,
}

/// The source of a password.
#[derive(Debug, Args)]
pub(crate) struct PasswordFrom {
    /// Read the password from standard input, without one line break at the end.
    #[arg(long, conflicts_with = "generate_password")]
    pub(crate) password_stdin: bool,
    /// Generate a random password and print it.
    #[arg(long)]
    pub(crate) generate_password: bool,
    /// Accept any password: short, common, only digits, or similar to the name.
    #[arg(long)]
    pub(crate) no_validate: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List a user's sessions, the most recently refreshed first.
    #[command(after_help = "Example:\n  simplejwt session list alice")]
    List {
        /// The name to log in with, or the id of a user who was deleted.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// End one session.
    #[command(after_help = "Example:\n  simplejwt session end 3b7ce2b2c1e14d0cb0f7b0d9a4c0b8f3")]
    End {
        /// The session's id, as `list` shows it.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Move all sessions between a row for each token and a row for each session, as the setting
    /// rows says. All servers have to be stopped.
    #[command(after_help = "Examples:
  simplejwt session move --to sessions --dry-run
  simplejwt session move --to sessions --config simplejwt.toml

Can be stopped at any time and repeated.")]
    Move {
        /// What the database has a row for afterwards.
        #[arg(long, value_enum, value_name = "ROWS")]
        to: RowsOf,
        /// Change nothing; print how many sessions would be moved.
        #[arg(long)]
        dry_run: bool,
    },
    /// End all sessions of a user.
    #[command(after_help = "Example:\n  simplejwt session end-all alice")]
    EndAll {
        /// The name to log in with, or the id of a user who was deleted.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// What the database has a row for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RowsOf {
    /// Each token, in Django's tables.
    Tokens,
    /// Each session.
    Sessions,
}

impl RowsOf {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Sessions => "sessions",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Print a token's claims and whether it is valid. Exits with 1 if it isn't.
    #[command(after_help = "Example:
  simplejwt token inspect < token.txt")]
    Inspect(TokenFrom),
    /// Put a refresh or sliding token on the blacklist.
    #[command(after_help = "Example:
  simplejwt token blacklist < token.txt")]
    Blacklist(TokenFrom),
    /// Delete expired tokens from the database, as Django's flushexpiredtokens does.
    #[command(after_help = "Example:
  simplejwt token flush-expired --config simplejwt.toml")]
    FlushExpired {
        /// The maximum number of tokens deleted in one transaction.
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        batch: u32,
        /// Pause after each transaction, so that requests hardly notice.
        #[arg(long)]
        paced: bool,
    },
}

/// The source of a token.
#[derive(Debug, Args)]
pub(crate) struct TokenFrom {
    /// `-`, the default, reads the token from standard input. A token can't be an argument, because
    /// other users of the machine could read it.
    #[arg(value_name = "-", default_value = "-", hide_default_value = true)]
    pub(crate) from: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check everything: values, keys and the database.
    #[command(after_help = "Example:\n  simplejwt config check --config simplejwt.toml")]
    Check,
    /// Print the values in effect and the source of each, without secrets.
    #[command(after_help = "Example:\n  SIMPLEJWT_DEMO=on simplejwt config print")]
    Print,
    /// Print a configuration file with every setting, its default and its documentation.
    #[command(after_help = "Example:\n  simplejwt config example > simplejwt.toml")]
    Example,
    /// Print a JSON Schema of the configuration file, for completion and checks in editors.
    #[command(after_help = "Example:
  simplejwt config schema > simplejwt.schema.json

Taplo and editors use the schema if the first line of simplejwt.toml names it:
  #:schema ./simplejwt.schema.json")]
    Schema,
}
