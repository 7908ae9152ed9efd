//! What the tests of the server share.

pub(crate) mod databases;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod site;
