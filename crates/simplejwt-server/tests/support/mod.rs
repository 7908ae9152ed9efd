//! Code shared by the server's tests.

pub(crate) mod databases;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod site;
