//! The password for `user add` and `user set-password`: from standard input, the terminal or a
//! generator, but never from an argument.

use std::io::{IsTerminal as _, Read as _};

use simplejwt::users::password::{random_password, weaknesses};
use zeroize::Zeroizing;

use crate::cli::PasswordFrom;
use crate::failure::Failure;

/// The length of a generated password: 119 bits.
const LENGTH: usize = 20;
/// The maximum length of a password, in bytes. Django's forms accept no more, and nobody types
/// more.
const LONGEST: usize = 4096;

/// A password, and whether it was generated and has to be shown.
pub(super) struct NewPassword {
    pub(super) password: Zeroizing<String>,
    pub(super) generated: bool,
}

impl NewPassword {
    /// Returns the message for the operator, with the password if it was generated.
    pub(super) fn message(&self, done: &str) -> String {
        if self.generated {
            format!("{done}; the password, shown only once: {}\n", self.password.as_str())
        } else {
            format!("{done}\n")
        }
    }
}

/// Reads, asks for, or generates a password.
pub(super) fn take(from: &PasswordFrom) -> Result<NewPassword, Failure> {
    if from.generate_password {
        return Ok(NewPassword { password: random_password(LENGTH), generated: true });
    }
    let password = if from.password_stdin { read_stdin()? } else { ask()? };
    if password.is_empty() {
        return Err(Failure::Failed("the password is empty: give one".into()));
    }
    if password.len() > LONGEST {
        return Err(Failure::Failed(format!(
            "the password is longer than {LONGEST} bytes: choose a \
            shorter one"
        )));
    }
    if password.contains('\0') {
        return Err(Failure::Failed(
            "the password contains a null character: choose another".into(),
        ));
    }
    Ok(NewPassword { password, generated: false })
}

/// Checks that a password is strong enough for a user with these attributes.
pub(super) fn check(
    from: &PasswordFrom,
    given: &NewPassword,
    known: &[(&str, &str)],
) -> Result<(), Failure> {
    let found = weaknesses(&given.password, known.iter().copied());
    if from.no_validate || given.generated || found.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = found.iter().map(ToString::to_string).collect();
    Err(Failure::Failed(format!(
        "the password is too weak: {}. Choose another, or accept it with --no-validate",
        reasons.join("; ")
    )))
}

/// Asks for confirmation on the terminal, unless the option `yes` was given.
pub(super) fn confirm(yes: bool, question: &str, option: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(format!("there is no terminal to ask on: use {option}")));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::Failed(format!("can't read the answer: {error}")))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Failed("nothing was changed".into())),
    }
}

fn read_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(LONGEST as u64 + 3).read_to_string(&mut text).map_err(|error| {
        Failure::Failed(format!("can't read the password from standard input: {error}"))
    })?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    Ok(Zeroizing::new(password.to_owned()))
}

fn ask() -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "there is no terminal to ask for a password on: use --password-stdin or \
             --generate-password"
                .into(),
        ));
    }
    let prompt = |text: &str| {
        rpassword::prompt_password(text)
            .map(Zeroizing::new)
            .map_err(|error| Failure::Failed(format!("can't ask for a password: {error}")))
    };
    let password = prompt("Password: ")?;
    if *password != *prompt("Password (again): ")? {
        return Err(Failure::Failed("the two passwords differ: try again".into()));
    }
    Ok(password)
}
