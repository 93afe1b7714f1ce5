//! JSON as RFC 8259 defines it, read by hand: numbers stay as they are written and a name may stand
//! twice, so that the reference can judge both. Shares nothing with the product, which reads by
//! `serde_json`.

/// A JSON text, with all that its writer chose except spaces and escapes.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// Deeper texts are rejected unread, which keeps the stack small. Twice what the product takes.
const LEVELS_READ: usize = 200;

/// The tree of a text, or none where it is not JSON.
pub fn read(text: &str) -> Option<Tree> {
    let mut reader = Reader { rest: text };
    let tree = reader.value(LEVELS_READ)?;
    reader.skip_spaces();
    reader.rest.is_empty().then_some(tree)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes `token` after spaces, if it is next.
    fn take(&mut self, token: &str) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, levels: usize) -> Option<Tree> {
        self.skip_spaces();
        match self.rest.chars().next()? {
            '{' => self.object(levels.checked_sub(1)?),
            '[' => self.array(levels.checked_sub(1)?),
            '"' => self.text().map(Tree::Text),
            '-' | '0'..='9' => self.number().map(Tree::Number),
            _ if self.take("null") => Some(Tree::Null),
            _ if self.take("true") => Some(Tree::Bool(true)),
            _ if self.take("false") => Some(Tree::Bool(false)),
            _ => None,
        }
    }

    fn object(&mut self, levels: usize) -> Option<Tree> {
        self.take("{").then_some(())?;
        let mut entries = Vec::new();
        if self.take("}") {
            return Some(Tree::Object(entries));
        }
        loop {
            self.skip_spaces();
            let name = self.text()?;
            self.take(":").then_some(())?;
            entries.push((name, self.value(levels)?));
            if self.take("}") {
                return Some(Tree::Object(entries));
            }
            self.take(",").then_some(())?;
        }
    }

    fn array(&mut self, levels: usize) -> Option<Tree> {
        self.take("[").then_some(())?;
        let mut items = Vec::new();
        if self.take("]") {
            return Some(Tree::Array(items));
        }
        loop {
            items.push(self.value(levels)?);
            if self.take("]") {
                return Some(Tree::Array(items));
            }
            self.take(",").then_some(())?;
        }
    }

    fn text(&mut self) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        let mut characters = self.rest.strip_prefix('"')?.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\0'..='\u{1f}' => return None,
                '\\' => match characters.next()? {
                    escaped @ ('"' | '\\' | '/') => units.push(escaped as u16),
                    'b' => units.push(8),
                    'f' => units.push(12),
                    'n' => units.push(10),
                    'r' => units.push(13),
                    't' => units.push(9),
                    'u' => {
                        let digits: String = characters.by_ref().take(4).collect();
                        let is_hex = digits.len() == 4
                            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                        units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| is_hex)?);
                    }
                    _ => return None,
                },
                plain => units.extend_from_slice(plain.encode_utf16(&mut [0; 2])),
            }
        }
        self.rest = characters.as_str();
        // A surrogate without its other half is no character.
        String::from_utf16(&units).ok()
    }

    fn number(&mut self) -> Option<String> {
        let whole = self.rest;
        self.rest = self.rest.strip_prefix('-').unwrap_or(self.rest);
        if !self.take_if(|next| next == '0') {
            self.digits()?;
        }
        if self.take_if(|next| next == '.') {
            self.digits()?;
        }
        if self.take_if(|next| matches!(next, 'e' | 'E')) {
            self.take_if(|next| matches!(next, '+' | '-'));
            self.digits()?;
        }
        Some(whole[..whole.len() - self.rest.len()].to_owned())
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// One digit at least.
    fn digits(&mut self) -> Option<()> {
        let rest = self.rest.trim_start_matches(|next: char| next.is_ascii_digit());
        let some = rest.len() < self.rest.len();
        self.rest = rest;
        some.then_some(())
    }
}
