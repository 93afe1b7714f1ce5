//! Where in a body something is wrong: as names and indexes, never as values.
//!
//! It is made only where a message is rejected. Whoever has the body finds the bytes that are meant
//! by it; whoever has not still knows the way there.

use std::borrow::Cow;

use super::name::shown_name;

/// What a text is inside of: how the next text is got out of the one around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The whole text is base64 around gzip or zstd.
    Packed,
    /// The text that `Message` of an SNS notification holds.
    SnsMessage,
    /// The object that is the `detail` of an EventBridge event.
    Detail,
    /// The text that such a `detail` holds.
    DetailText,
    /// The value that is the `data` of a `CloudEvents` event.
    Data,
    /// The base64 in its `data_base64`.
    DataBase64,
}

impl Layer {
    /// The field that holds it, as a place begins with it. That a body was packed says nothing of
    /// where in it something is wrong.
    const fn field(self) -> Option<&'static str> {
        match self {
            Self::Packed => None,
            Self::SnsMessage => Some("Message"),
            Self::Detail | Self::DetailText => Some("detail"),
            Self::Data => Some("data"),
            Self::DataBase64 => Some("data_base64"),
        }
    }
}

/// Bytes of a place as text from which on its rest is left out.
const SHOWN_BYTES_MAX: usize = 512;

/// Layers at most: as many envelopes as are opened, and a body is packed once.
const LAYERS_MAX: usize = 4;

/// The layers from the body of the message inwards. A few bytes that every record carries, so that what
/// is found wrong later can be found in the body too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layers([Option<Layer>; LAYERS_MAX]);

impl Layers {
    /// Adds the innermost one. One too many is left out: whoever opens layers bounds them.
    pub fn push(&mut self, layer: Layer) {
        if let Some(free) = self.0.iter_mut().find(|layer| layer.is_none()) {
            *free = Some(layer);
        }
    }

    /// From the outermost inwards.
    pub fn iter(&self) -> impl Iterator<Item = Layer> {
        self.0.into_iter().flatten()
    }

    /// Those around the layer that is behind so many others that `is` holds for too: what the envelope
    /// itself stands in. None where there is no such layer.
    #[must_use]
    pub fn around(&self, behind: usize, is: impl Fn(Layer) -> bool) -> Option<Self> {
        let (mut around, mut found) = (Self::default(), 0);
        for layer in self.iter() {
            if is(layer) {
                if found == behind {
                    return Some(around);
                }
                found += 1;
            }
            around.push(layer);
        }
        None
    }
}

/// A step from an object or array to what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(Cow<'static, str>),
    Index(usize),
}

/// What is meant at the end of the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Spot {
    /// The value there, or the whole text where the way has no steps.
    #[default]
    Value,
    /// The name there.
    Name,
    /// The name there, which stands twice in its object: the second one.
    SecondName,
    /// The object that lacks the last name.
    Missing,
    /// The text ends there, in the middle.
    End,
    /// The text cannot be read from this byte of it on.
    Byte(usize),
}

/// Where in a body something is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// What the text is inside of that the steps are about.
    pub layers: Layers,
    /// The way from that text's own object or array.
    pub steps: Vec<Step>,
    /// The way goes on, and its rest is left out because its names are long. What is meant lies somewhere
    /// inside of where the steps lead.
    pub is_cut: bool,
    pub spot: Spot,
    /// Bytes of that text that had been read: of several ways of these names, the one begun last before
    /// is meant.
    pub read_bytes: Option<usize>,
}

impl Place {
    /// The body as a whole.
    #[must_use]
    pub fn whole() -> Self {
        Self::default()
    }

    /// The value of a field of the body itself.
    #[must_use]
    pub fn value(name: impl Into<Cow<'static, str>>) -> Self {
        Self { steps: vec![Step::Name(name.into())], ..Self::default() }
    }

    /// The name of such a field.
    #[must_use]
    pub fn name(name: impl Into<Cow<'static, str>>) -> Self {
        Self { spot: Spot::Name, ..Self::value(name) }
    }

    /// A field that the body does not have.
    #[must_use]
    pub fn missing(name: impl Into<Cow<'static, str>>) -> Self {
        Self { spot: Spot::Missing, ..Self::value(name) }
    }

    /// What stands at `path`, whose names are parted by dots.
    #[must_use]
    pub fn path(path: &str) -> Self {
        let step = |name: &str| Step::Name(Cow::Owned(name.to_owned()));
        Self { steps: path.split('.').map(step).collect(), ..Self::default() }
    }

    /// The place as text for people and programs: `items[3].at`, or `Message/items[3].at` inside of an
    /// SNS notification. Empty for the body as a whole. Of what stands behind the first
    /// 512 bytes, `...`.
    #[must_use]
    pub fn shown(&self) -> String {
        self.text(|index| format!("[{index}]"))
    }

    /// The same with `[]` for any item of an array: what is wrong in one item is mostly wrong in
    /// others for the same reason.
    #[must_use]
    pub fn pattern(&self) -> String {
        self.text(|_| "[]".to_owned())
    }

    fn text(&self, item: impl Fn(usize) -> String) -> String {
        let mut text = String::new();
        for field in self.layers.iter().filter_map(Layer::field) {
            text.push_str(field);
            text.push('/');
        }
        for (index, step) in self.steps.iter().enumerate() {
            if text.len() > SHOWN_BYTES_MAX {
                text.push_str("...");
                return text;
            }
            match step {
                Step::Index(number) => text.push_str(&item(*number)),
                Step::Name(name) => {
                    if index > 0 {
                        text.push('.');
                    }
                    text.push_str(&shown_name(name));
                }
            }
        }
        if self.is_cut {
            text.push_str("...");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_an_envelope_is_told() {
        let mut layers = Layers::default();
        for layer in [Layer::Packed, Layer::SnsMessage, Layer::Detail, Layer::Data, Layer::Data] {
            layers.push(layer);
        }
        assert_eq!(layers.iter().count(), LAYERS_MAX, "one too many is left out");
        let around = layers.around(0, |layer| layer == Layer::Detail).expect("it is there");
        assert_eq!(around.iter().collect::<Vec<_>>(), [Layer::Packed, Layer::SnsMessage]);
        assert_eq!(layers.around(0, |layer| layer == Layer::DataBase64), None);
        assert_eq!(layers.around(1, |layer| layer == Layer::Detail), None);
        assert_eq!(layers.around(1, |_| true).map(|around| around.iter().count()), Some(1));
    }

    #[test]
    fn a_place_says_which_envelopes_are_around_it() {
        let inside = |layers: &[Layer], place: Place| {
            let mut around = Layers::default();
            for layer in layers {
                around.push(*layer);
            }
            Place { layers: around, ..place }.shown()
        };
        let kind = || Place::value("type");
        assert_eq!(inside(&[], kind()), "type");
        assert_eq!(inside(&[Layer::Packed], kind()), "type");
        assert_eq!(inside(&[Layer::Data], kind()), "data/type");
        assert_eq!(inside(&[Layer::SnsMessage, Layer::Detail], kind()), "Message/detail/type");
        assert_eq!(inside(&[Layer::DetailText], Place::path("a.b")), "detail/a.b");
        assert_eq!(inside(&[Layer::SnsMessage], Place::whole()), "Message/");
        let item = Place { steps: vec![Step::Index(1)], ..Place::default() };
        assert_eq!(inside(&[Layer::DataBase64], item), "data_base64/[1]");
        let odd = Place {
            steps: vec![Step::Name("a/".into()), Step::Name("b".into())],
            ..Place::default()
        };
        assert_eq!(odd.shown(), "a/.b");
    }

    #[test]
    fn a_place_is_text_with_any_item_for_each_or_not() {
        let name = |name: &str| Step::Name(name.to_owned().into());
        let steps = vec![name("items"), Step::Index(3), name("at")];
        let place = Place { steps, ..Place::default() };
        assert_eq!(
            (place.shown().as_str(), place.pattern().as_str()),
            ("items[3].at", "items[].at")
        );
        assert_eq!(Place::whole().shown(), "");
        let cut = Place { is_cut: true, ..place };
        assert_eq!(cut.pattern(), "items[].at...");
        assert_eq!(Place { is_cut: true, ..Place::whole() }.shown(), "...");
        let long = Place { steps: vec![name(&"n".repeat(60)); 100], ..Place::default() };
        assert!(long.shown().len() < 700 && long.shown().ends_with("..."), "{}", long.shown());
    }
}
