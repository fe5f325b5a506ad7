//! The smallest parts of a script line: words and quoted bytes.

/// A position in a line.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub(crate) fn starts_with(&mut self, what: &str) -> bool {
        self.skip_space();
        self.rest().starts_with(what)
    }

    /// Steps over `what` if it comes next.
    pub(crate) fn take(&mut self, what: &str) -> bool {
        let found = self.starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    pub(crate) fn back(&mut self, bytes: usize) {
        self.at -= bytes;
    }

    /// A word that ends at space or punctuation of the reply notation.
    pub(crate) fn word(&mut self) -> Result<String, String> {
        self.skip_space();
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_whitespace() || ",]}:|".contains(c))
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(format!("a value expected at {rest:?}"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    pub(crate) fn quoted_or_word(&mut self) -> Result<Vec<u8>, String> {
        match self.peek() {
            Some('"') => self.quoted(),
            _ => self.word().map(String::into_bytes),
        }
    }

    /// `"..."` with \r \n \t \" \\ \xHH; `"x"*1000` repeats, and what follows at once in quotes is joined.
    pub(crate) fn quoted(&mut self) -> Result<Vec<u8>, String> {
        if !self.take("\"") {
            return Err(format!("a quoted text expected at {:?}", self.rest()));
        }
        let mut out = Vec::new();
        let rest = self.rest().as_bytes();
        let mut i = 0;
        loop {
            let byte = *rest.get(i).ok_or("a quote is not closed")?;
            i += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    let escape = *rest.get(i).ok_or("a backslash at the end")?;
                    i += 1;
                    out.push(match escape {
                        b'r' => b'\r',
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'x' => {
                            let hex = rest.get(i..i + 2).ok_or("\\x needs two digits")?;
                            i += 2;
                            let hex = std::str::from_utf8(hex).map_err(|e| e.to_string())?;
                            u8::from_str_radix(hex, 16).map_err(|e| e.to_string())?
                        }
                        other => other,
                    });
                }
                other => out.push(other),
            }
        }
        self.at += i;
        if self.rest().starts_with('*') {
            self.at += 1;
            let rest = self.rest();
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let times: usize = rest[..digits].parse().map_err(|_| format!("*{rest}"))?;
            self.at += digits;
            out = out.repeat(times);
        }
        if self.rest().starts_with('"') {
            out.extend(self.quoted()?);
        }
        Ok(out)
    }
}

impl Cursor<'_> {
    /// Nothing may be left.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        self.skip_space();
        match self.rest() {
            "" => Ok(()),
            rest => Err(format!("not understood: {rest:?}")),
        }
    }
}
