//! Users in memory for the suite of user stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use simplejwt::users::conformance::{Abilities, Fixture, TestUser};
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::HashingPool;
use simplejwt::{Timestamp, User, UserId, UserStore};

/// What is in each of the stores that were opened over it.
#[derive(Default)]
pub(crate) struct Memory {
    stores: Mutex<Vec<MemoryUsers>>,
    rows: Mutex<BTreeMap<UserId, TestUser>>,
    rights: Mutex<Rights>,
    added: AtomicU32,
}

/// What was granted: to whom and which.
#[derive(Default)]
struct Rights {
    members: BTreeSet<(UserId, String)>,
    of_groups: BTreeSet<(String, String)>,
    of_users: BTreeSet<(UserId, String)>,
}

impl Memory {
    fn each(&self, change: impl Fn(&MemoryUsers)) {
        self.stores.lock().unwrap().iter().for_each(change);
    }

    fn name(&self, id: &UserId) -> String {
        self.rows.lock().unwrap()[id].name.clone()
    }

    fn tell_rights(&self) {
        let rights = self.rights.lock().unwrap();
        for (id, row) in &*self.rows.lock().unwrap() {
            let groups: BTreeSet<_> = rights
                .members
                .iter()
                .filter(|(user, _)| user == id)
                .map(|(_, name)| name)
                .collect();
            let of_groups = rights.of_groups.iter().filter(|(name, _)| groups.contains(name));
            let own = rights.of_users.iter().filter(|(user, _)| user == id);
            let permissions: BTreeSet<_> =
                own.map(|(_, name)| name).chain(of_groups.map(|(_, name)| name)).collect();
            self.each(|users| {
                users.set_groups(&row.name, groups.iter().copied());
                users.set_permissions(&row.name, permissions.iter().copied());
            });
        }
    }
}

fn user(id: &UserId, row: &TestUser) -> User {
    let mut user = User::new(id.clone(), &*row.name);
    user.password = row.hash.clone();
    (user.is_active, user.is_staff, user.is_superuser) =
        (row.is_active, row.is_staff, row.is_superuser);
    user
}

#[simplejwt::async_trait]
impl Fixture for Memory {
    fn abilities(&self) -> Abilities {
        Abilities {
            flags: true,
            inactive_login: true,
            rehash: true,
            last_login: true,
            rights: true,
            survey: true,
            ..Abilities::default()
        }
    }

    async fn open(&self, pool: HashingPool, allow_inactive_login: bool) -> Arc<dyn UserStore> {
        let users = MemoryUsers::new(pool).allow_inactive_login(allow_inactive_login);
        self.rows.lock().unwrap().iter().for_each(|(id, row)| users.insert(user(id, row)));
        self.stores.lock().unwrap().push(users.clone());
        Arc::new(users)
    }

    async fn add(&self, row: &TestUser) -> UserId {
        let id = UserId::from((self.added.fetch_add(1, Ordering::Relaxed) + 101).to_string());
        self.each(|users| users.insert(user(&id, row)));
        self.rows.lock().unwrap().insert(id.clone(), row.clone());
        id
    }

    async fn change(&self, id: &UserId, row: &TestUser) {
        let before = self.name(id);
        self.each(|users| {
            if before != row.name {
                users.remove(&before);
            }
            users.insert(user(id, row));
        });
        self.rows.lock().unwrap().insert(id.clone(), row.clone());
    }

    async fn delete(&self, id: &UserId) {
        let name = self.name(id);
        self.rows.lock().unwrap().remove(id);
        self.each(|users| drop(users.remove(&name)));
    }

    async fn last_login(&self, id: &UserId) -> Option<Timestamp> {
        let name = self.name(id);
        self.stores.lock().unwrap().iter().find_map(|users| users.last_login(&name))
    }

    async fn grant(&self, id: &UserId, group: Option<&str>, permission: Option<&str>) {
        let mut rights = self.rights.lock().unwrap();
        if let Some(group) = group {
            rights.members.insert((id.clone(), group.to_owned()));
        }
        match (group, permission) {
            (Some(group), Some(name)) => drop(rights.of_groups.insert((group.into(), name.into()))),
            (None, Some(name)) => drop(rights.of_users.insert((id.clone(), name.into()))),
            (_, None) => {}
        }
        drop(rights);
        self.tell_rights();
    }

    async fn share_id(&self, id: &UserId, with: &UserId) -> bool {
        let row = self.rows.lock().unwrap()[id].clone();
        self.each(|users| users.insert(user(with, &row)));
        true
    }
}
