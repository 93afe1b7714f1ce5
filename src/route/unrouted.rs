//! Why a message has no route, told so that its sender can fix it.

use crate::bson::Fields;
use crate::message::{Asked, AskedIn, Layer, Layers, Name, Place, Reason, Rejection};

/// Bytes of the routes that are listed. Each name is cut besides.
const ROUTES_BYTES_MAX: usize = 500;

/// Bytes of the names that were asked and are listed. One always is.
const ASKED_BYTES_MAX: usize = 500;

/// Bytes of a name from which on it is no slip of the pen.
const SLIP_BYTES_MAX: usize = 128;

/// The rejection of a message of which no name names a route. `routes` are all that there are,
/// sorted.
pub(super) fn rejection(
    asked: &[Asked],
    fields: &Fields,
    layers: Layers,
    routes: &[&str],
) -> Rejection {
    let named: Vec<(AskedIn, &str)> = asked
        .iter()
        .filter_map(|asked| Some((asked.place, asked.name.as_deref()?)))
        .filter(|(_, name)| !name.is_empty())
        .collect();
    let is_empty = |asked: &&Asked| asked.name.as_deref().is_none_or(str::is_empty);
    if named.is_empty() {
        let text = without_type(asked, fields, routes);
        let rejection = Rejection::new(Reason::MissingType, text);
        return match asked.first() {
            None => rejection.at(Place { layers, ..Place::missing("type") }),
            Some(Asked { place, .. }) => of_type(rejection, *place, 0, layers),
        };
    }
    let shown = named.iter().map(|(place, name)| format!("{} ({place})", Name(name)));
    let types = within(ASKED_BYTES_MAX, shown);
    let nearest = named.iter().find_map(|(_, name)| nearest(name, routes));
    let nearest = nearest.map(|route| format!(", did you mean {}?", Name(route)));
    let text = format!(
        "no route has the type {}{} {}: correct the producer, map the type in `message.types`, or configure such a route",
        types.join(" or "),
        nearest.unwrap_or_default(),
        listed(routes),
    );
    let place = named[0].0;
    let before = asked.iter().take_while(is_empty).filter(|asked| asked.place == place).count();
    of_type(Rejection::new(Reason::UnknownType, text), place, before, layers)
}

/// The rejection at the type that stands there, if it stands in the body. So many envelopes of the same
/// kind are around that one.
fn of_type(rejection: Rejection, asked: AskedIn, before: usize, layers: Layers) -> Rejection {
    let is_detail = |layer| matches!(layer, Layer::Detail | Layer::DetailText);
    let is_data = |layer| matches!(layer, Layer::Data | Layer::DataBase64);
    let (name, layers) = match asked {
        AskedIn::Field => ("type", Some(layers)),
        AskedIn::DetailType => ("detail-type", layers.around(before, is_detail)),
        AskedIn::CloudEvent => ("type", layers.around(before, is_data)),
        AskedIn::CloudEventAttribute | AskedIn::Attribute | AskedIn::Message => ("type", None),
    };
    match layers {
        Some(layers) => rejection.at(Place { layers, ..Place::value(name) }),
        None => rejection,
    }
}

fn without_type(asked: &[Asked], fields: &Fields, routes: &[&str]) -> String {
    let text = |name: &str| fields.get(name).and_then(|field| field.text());
    if text("Event") == Some("s3:TestEvent") {
        return "the message is S3's test notification, which S3 sends once when notifications are set up: nothing is lost, \
             delete the dead letter"
            .to_owned();
    }
    if fields.get("Records").is_some() {
        return "the message has Records and no type, as S3's event notifications: send them through EventBridge, and map their \
             detail-type in `message.types`"
            .to_owned();
    }
    let lack = match asked.first() {
        None => "the message has no type".to_owned(),
        Some(Asked { place, name: None }) => {
            format!("the message's type in {place} is not a string")
        }
        Some(Asked { place, .. }) => format!("the message's type in {place} is empty"),
    };
    format!(
        "{lack}: give the name of a route in a field type, a message attribute type, or the type of an envelope {}",
        listed(routes)
    )
}

/// The routes in brackets.
fn listed(routes: &[&str]) -> String {
    let shown = within(ROUTES_BYTES_MAX, routes.iter().map(|route| Name(route).to_string()));
    let more = match routes.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("(routes: {}{more})", shown.join(", "))
}

/// The first of these texts that have so many bytes together, and one in any case.
fn within(bytes_max: usize, texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut bytes = 0;
    let fits = |text: &String| {
        let is_first = bytes == 0;
        bytes += text.len();
        is_first || bytes <= bytes_max
    };
    texts.take_while(fits).collect()
}

/// The route with the fewest changes between its name and this one, if they are few for its length.
fn nearest<'r>(name: &str, routes: &[&'r str]) -> Option<&'r str> {
    if name.len() > SLIP_BYTES_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let letters = name.chars().count();
    // What is much longer or shorter is not compared: a producer may send many of these.
    let may_be_near = |route: &&&str| {
        route.chars().count().abs_diff(letters) * 3 <= route.len().min(SLIP_BYTES_MAX)
    };
    let near = routes.iter().filter(may_be_near).filter_map(|route| {
        let changes = strsim::damerau_levenshtein(&name, &route.to_lowercase());
        (route.len() <= SLIP_BYTES_MAX && changes * 3 <= route.len()).then_some((changes, *route))
    });
    near.min().map(|(_, route)| route)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(place: AskedIn, name: &str) -> Asked {
        Asked { place, name: Some(name.to_owned()) }
    }

    const ROUTES: [&str; 3] = ["cache", "event", "session"];

    #[test]
    fn an_unknown_type_is_told_with_the_routes_and_the_nearest() {
        let of = |asked: &[Asked]| rejection(asked, &Fields::default(), Layers::default(), &ROUTES);
        let told = of(&[asked(AskedIn::Field, "evnet")]);
        assert_eq!(told.reason, Reason::UnknownType);
        assert_eq!(
            told.text,
            "no route has the type `evnet` (the field type), did you mean `event`? (routes: `cache`, `event`, `session`): \
             correct the producer, map the type in `message.types`, or configure such a route"
        );
        let told = of(&[
            asked(AskedIn::DetailType, "GuardDuty Finding"),
            asked(AskedIn::Field, "Sessions"),
        ]);
        assert!(
            told.text.starts_with(
                "no route has the type `GuardDuty Finding` (detail-type) or `Sessions` (the field type), did you mean `session`?"
            ),
            "{}",
            told.text
        );
        let told = of(&[asked(AskedIn::Field, "Recon:EC2/PortProbe")]);
        assert!(!told.text.contains("did you mean"), "{}", told.text);
    }

    #[test]
    fn of_envelopes_around_each_other_the_one_with_the_unknown_type_is_told() {
        let mut layers = Layers::default();
        for layer in [Layer::Data, Layer::SnsMessage, Layer::Data] {
            layers.push(layer);
        }
        let around = |types: [&str; 2]| {
            let asked = types.map(|name| asked(AskedIn::CloudEvent, name));
            let told = rejection(&asked, &Fields::default(), layers, &ROUTES);
            told.place.expect("a place").shown()
        };
        assert_eq!(around(["evnet", "x"]), "type");
        assert_eq!(around(["", "evnet"]), "data/Message/type");
    }

    #[test]
    fn a_missing_type_is_told_with_what_is_there_instead() {
        let of = |asked: &[Asked]| {
            let told = rejection(asked, &Fields::default(), Layers::default(), &ROUTES);
            assert_eq!(told.reason, Reason::MissingType, "{told:?}");
            told.text
        };
        assert!(of(&[]).starts_with("the message has no type: give the name of a route"));
        assert!(of(&[]).ends_with("(routes: `cache`, `event`, `session`)"));
        let odd = Asked { place: AskedIn::Field, name: None };
        assert!(of(&[odd]).starts_with("the message's type in the field type is not a string"));
        assert!(of(&[asked(AskedIn::Attribute, "")]).contains("is empty"));
    }

    #[test]
    fn many_routes_and_long_names_make_no_long_text() {
        let routes: Vec<String> =
            (0..256).map(|number| format!("{number:03}{}", "n".repeat(253))).collect();
        let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
        for long in ["x", "\u{10ffff}", "é"] {
            let asked = vec![asked(AskedIn::Field, &long.repeat(100_000)); 5];
            let told = rejection(&asked, &Fields::default(), Layers::default(), &routes);
            assert!(told.text.len() < 2_048 && told.text.contains("and 249 more"), "{}", told.text);
        }
    }
}
