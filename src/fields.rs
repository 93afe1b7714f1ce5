//! The fields of a message as encoded BSON: what decode writes once and the store sends as it is, never parsed in between.

/// Top-level fields as encoded BSON elements in one buffer, in order, each name once.
///
/// An element is laid out as in a BSON document: type byte, name, NUL, value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    buffer: Vec<u8>,
    /// Where each element begins, and how long its name is.
    starts: Vec<(usize, usize)>,
}

impl Fields {
    /// The buffer to append the value to, after [`Fields::begin`] wrote type and name.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Starts an element: writes a placeholder type byte, the name and its NUL, and returns where the type byte is, to be
    /// set once the value is known. The caller has refused names with a NUL and names that are there already.
    pub fn begin(&mut self, name: &str) -> usize {
        let start = self.buffer.len();
        self.starts.push((start, name.len()));
        self.buffer.push(0);
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.push(0);
        start
    }

    /// Appends an element whole.
    pub fn push(&mut self, name: &str, element_type: u8, value: &[u8]) {
        let start = self.begin(name);
        self.buffer[start] = element_type;
        self.buffer.extend_from_slice(value);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes of all elements together: a document of them is 5 longer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of memory, in use: the elements, and where each begins.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.buffer.len() + self.starts.len() * size_of::<(usize, usize)>()
    }

    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.starts.iter().enumerate().map(|(index, &(start, name_len))| {
            let end = self.starts.get(index + 1).map_or(self.buffer.len(), |next| next.0);
            Field { element: &self.buffer[start..end], name_len }
        })
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<Field<'_>> {
        self.iter().find(|field| field.name() == name)
    }
}

/// One element of [`Fields`].
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The element as a BSON document holds it.
    pub element: &'a [u8],
    name_len: usize,
}

impl<'a> Field<'a> {
    /// # Panics
    /// Never: the name was written from a `str`.
    #[must_use]
    pub fn name(&self) -> &'a str {
        std::str::from_utf8(&self.element[1..=self.name_len]).expect("written from a str")
    }

    /// The BSON element type, as in the BSON specification.
    #[must_use]
    pub fn element_type(&self) -> u8 {
        self.element[0]
    }

    /// The value's bytes, without type and name.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        &self.element[self.name_len + 2..]
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        const STRING: u8 = 0x02;
        // Length, text, NUL.
        let text = self.value().get(4..self.value().len().checked_sub(1)?)?;
        if self.element_type() == STRING { std::str::from_utf8(text).ok() } else { None }
    }
}
