//! What the user of the connection may do.

use bson::{Document, doc};

use super::error::MongoManagerError;
use super::manager::MongoManager;
use super::rights;
use crate::store::Collection;

/// The privileges of the user who is logged in, from all of its roles.
#[derive(Debug, Clone, PartialEq)]
pub struct Privileges {
    database: String,
    /// `None` where nobody is logged in, because the server asks nobody to, and where it lists none:
    /// not every server that speaks this protocol does. What a user without any may not do, the first
    /// write tells.
    granted: Option<Vec<Document>>,
}

impl MongoManager {
    /// Asks what the user may do. Any user may ask that.
    /// <https://www.mongodb.com/docs/manual/reference/command/connectionStatus/>
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub async fn privileges(&self) -> Result<Privileges, MongoManagerError> {
        let status = self.run(doc! { "connectionStatus": 1, "showPrivileges": true }).await?;
        Ok(Privileges { database: self.database().name().to_owned(), granted: read(&status) })
    }
}

impl Privileges {
    /// Those of the `actions` that the user may not take on `collection`.
    /// <https://www.mongodb.com/docs/manual/reference/privilege-actions/>
    #[must_use]
    pub fn missing<'a>(&self, collection: &str, actions: &[&'a str]) -> Vec<&'a str> {
        let Some(granted) = &self.granted else { return Vec::new() };
        let is_granted = |action: &str| {
            granted
                .iter()
                .any(|privilege| self.covers(privilege, collection) && allows(privilege, action))
        };
        actions.iter().copied().filter(|action| !is_granted(action)).collect()
    }

    /// Whether the server lists what the user may do. Where it does not, nothing is missing.
    #[must_use]
    pub fn are_listed(&self) -> bool {
        self.granted.is_some()
    }

    /// What the user lacks of what the worker does with a collection, and what to do about it.
    #[must_use]
    pub fn lack(&self, collection: &Collection) -> Option<String> {
        self.told(&collection.name, rights::to_run(&collection.kind))
    }

    /// The same of what no message can do without.
    #[must_use]
    pub fn refusal(&self, collection: &Collection) -> Option<String> {
        self.told(&collection.name, rights::to_write(&collection.kind))
    }

    /// The same of the database itself, which no right on a collection grants.
    #[must_use]
    pub fn lack_of_database(&self) -> Option<String> {
        let missing = self.missing("", &rights::ON_DATABASE);
        (!missing.is_empty()).then(|| told(&format!("the database {}", self.database), &missing))
    }

    fn told(&self, collection: &str, actions: &[&str]) -> Option<String> {
        let missing = self.missing(collection, actions);
        (!missing.is_empty()).then(|| told(collection, &missing))
    }

    /// An empty name is any, but for system collections.
    /// <https://www.mongodb.com/docs/manual/reference/resource-document/>
    fn covers(&self, privilege: &Document, collection: &str) -> bool {
        let Ok(resource) = privilege.get_document("resource") else { return false };
        let is = |field: &str, name: &str| {
            resource.get_str(field).is_ok_and(|granted| granted.is_empty() || granted == name)
        };
        resource.get_bool("anyResource").unwrap_or(false)
            || is("db", &self.database) && is("collection", collection)
    }
}

fn told(on: &str, missing: &[&str]) -> String {
    format!("{on}: the user may not {}; {}", missing.join(", "), rights::CURE)
}

fn allows(privilege: &Document, action: &str) -> bool {
    let actions = privilege.get_array("actions").map(Vec::as_slice).unwrap_or_default();
    actions.iter().any(|granted| {
        matches!(granted.as_str(), Some("anyAction")) || granted.as_str() == Some(action)
    })
}

fn read(status: &Document) -> Option<Vec<Document>> {
    let info = status.get_document("authInfo").ok()?;
    let list = |name: &str| info.get_array(name).map(Vec::as_slice).unwrap_or_default();
    let listed = list("authenticatedUserPrivileges");
    (!list("authenticatedUsers").is_empty() && !listed.is_empty())
        .then(|| listed.iter().filter_map(|privilege| privilege.as_document().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(resource: Document, actions: &[&'static str]) -> Vec<&'static str> {
        let status = doc! { "authInfo": {
            "authenticatedUsers": [{ "user": "portal", "db": "admin" }],
            "authenticatedUserPrivileges": [{ "resource": resource, "actions": actions.to_vec() }],
        }};
        let privileges = Privileges { database: "portal".to_owned(), granted: read(&status) };
        privileges.missing("events", &["insert", "find"])
    }

    #[test]
    fn what_no_role_grants_is_missing() {
        assert_eq!(
            missing(doc! { "db": "portal", "collection": "" }, &["find", "insert", "remove"]),
            [""; 0]
        );
        assert_eq!(missing(doc! { "db": "", "collection": "" }, &["find"]), ["insert"]);
        assert_eq!(missing(doc! { "db": "portal", "collection": "events" }, &["insert"]), ["find"]);
        assert_eq!(missing(doc! { "anyResource": true }, &["anyAction"]), [""; 0]);
        for elsewhere in [
            doc! { "db": "portal", "collection": "sessions" },
            doc! { "db": "admin", "collection": "" },
            doc! { "cluster": true },
        ] {
            assert_eq!(missing(elsewhere, &["find", "insert"]), ["insert", "find"]);
        }
    }

    #[test]
    fn rights_that_the_server_does_not_list_are_not_missing() {
        let user = bson::bson!([{ "user": "portal", "db": "admin" }]);
        for info in [
            doc! { "authenticatedUsers": user.clone(), "authenticatedUserRoles": [] },
            doc! { "authenticatedUsers": user.clone(), "authenticatedUserPrivileges": [] },
            doc! { "authenticatedUsers": user, "authenticatedUserPrivileges": null },
        ] {
            let status = doc! { "authInfo": info };
            let privileges = Privileges { database: "portal".to_owned(), granted: read(&status) };
            assert_eq!(privileges.missing("events", &["insert"]), [""; 0], "{status}");
        }
    }

    #[test]
    fn a_right_on_the_database_itself_comes_from_no_collection() {
        let lack = |collection: &str| {
            let status = doc! { "authInfo": {
                "authenticatedUsers": [{ "user": "portal", "db": "admin" }],
                "authenticatedUserPrivileges": [
                    { "resource": { "db": "portal", "collection": collection }, "actions": ["listCollections"] },
                ],
            }};
            let granted = read(&status);
            Privileges { database: "portal".to_owned(), granted }.lack_of_database()
        };
        assert_eq!(lack(""), None);
        let lack = lack("events").expect("it is missing");
        assert!(
            lack.starts_with("the database portal: the user may not listCollections; "),
            "{lack}"
        );
    }

    #[test]
    fn where_nobody_must_log_in_nothing_is_missing() {
        let status =
            doc! { "authInfo": { "authenticatedUsers": [], "authenticatedUserPrivileges": [] } };
        let privileges = Privileges { database: "portal".to_owned(), granted: read(&status) };
        assert_eq!(privileges.missing("events", &["insert"]), [""; 0]);
    }
}
