//! Which route the names that could be a message's type name.

use std::sync::Arc;

use crate::bson::Fields;
use crate::message::{Asked, AskedIn, Kind, Named};

/// The names that layers around a body brought.
#[derive(Default)]
pub struct Names {
    /// Of envelopes, the outermost first.
    pub of_envelopes: Vec<Asked>,
    /// Of the attribute `type`, the outermost first.
    pub of_attributes: Vec<String>,
}

impl Names {
    /// The first name that names a route decides: those of envelopes from outside inwards, the
    /// body's own `type`, the attribute `type` from inside outwards. `route` maps a name to the
    /// route that it names.
    pub fn kind<'s>(self, fields: &Fields, route: impl Fn(&str) -> Option<&'s Arc<str>>) -> Kind {
        let own = fields.get("type");
        let text = own.and_then(|field| field.text());
        let mut found = Found::default();
        for asked in &self.of_envelopes {
            found.ask(asked.name.as_deref().and_then(&route));
        }
        let own_route = text.and_then(&route);
        found.ask(own_route);
        for name in self.of_attributes.iter().rev() {
            found.ask(route(name));
        }
        if let Some(chosen) = found.first {
            return Kind::Named(Named {
                route: Arc::clone(chosen),
                by_body: own_route == Some(chosen),
                other: found.other.cloned(),
            });
        }
        let mut asked = self.of_envelopes;
        let of_body = Asked { place: AskedIn::Field, name: text.map(str::to_owned) };
        asked.extend(own.map(|_| of_body));
        asked.extend(
            self.of_attributes
                .into_iter()
                .rev()
                .map(|name| Asked { place: AskedIn::Attribute, name: Some(name) }),
        );
        Kind::Unnamed(asked)
    }
}

#[derive(Default)]
struct Found<'s> {
    first: Option<&'s Arc<str>>,
    /// The first that differs.
    other: Option<&'s Arc<str>>,
}

impl<'s> Found<'s> {
    fn ask(&mut self, named: Option<&'s Arc<str>>) {
        match (self.first, named) {
            (None, _) => self.first = named,
            (Some(first), Some(route)) if route != first => {
                self.other = self.other.or(named);
            }
            _ => {}
        }
    }
}
