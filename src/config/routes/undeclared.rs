//! Settings of a route that nobody declares: its name is a slip of the pen, most often.

use super::super::key_path::KeyPath;
use super::super::kinds::Switch;
use super::super::nearest;
use super::RouteReader;

impl RouteReader<'_> {
    /// Whether a layer says where the route's messages go, or how they are written.
    pub(super) fn is_declared(&self) -> bool {
        ["collection", "write"].iter().any(|name| self.reader.has(&self.key(name)))
    }

    /// Refuses a route of which neither is said, where another name was meant, or where it is
    /// switched off: then nothing else would be said of it. Any other is told what it lacks.
    pub(super) fn refuse_unknown(mut self, declared: &[&String]) -> bool {
        let source = self.reader.source_of_section(&self.section);
        let enabled = self.key("enabled");
        let is_off =
            self.reader.has(&enabled) && !self.reader.given(&enabled, &Switch).unwrap_or(true);
        let meant = nearest::name(self.name, declared.iter().map(|name| name.as_str()));
        let what_to_do = match meant {
            Some(meant) => {
                format!(", did you mean {}?", KeyPath::from("routes").child(meant))
            }
            None if is_off => ": remove it".to_owned(),
            None => return false,
        };
        let problem = format!(
            "no route of this name is declared (one of its own needs collection and write){what_to_do}"
        );
        self.reader.error(&self.section, None, problem, source);
        self.forget(&["enabled"]);
        self.forget_all();
        true
    }
}
