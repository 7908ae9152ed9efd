//! A store of one's own that finds the users where Django has them.

use simplejwt::sql::manage::ManageUsers;
use simplejwt::sql::table::{NameError, UserTable};

pub struct Store<U: ManageUsers> {
    pub users: U,
    pub table: UserTable,
}

impl<U: ManageUsers> Store<U> {
    pub fn check(&self) -> Result<(), NameError> {
        self.table.validate()
    }
}
