//! As much DER (X.690) as key files need: walking over elements.

use crate::Error;

pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`.
pub(crate) const CONTEXT_0: u8 = 0xa0;

/// Reads elements one after the other from the front of some bytes.
///
/// Every failure is [`Error::KeyMalformed`]: what matters is that a key is broken, not where.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The contents of the one SEQUENCE that `bytes` are.
    pub(crate) fn sequence(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Self(bytes);
        let contents = reader.read(SEQUENCE)?;
        reader.finish()?;
        Ok(Self(contents))
    }

    /// The next element's tag, if there is another element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The contents of the next element, which has to have this tag.
    pub(crate) fn read(&mut self, tag: u8) -> Result<&'a [u8], Error> {
        match self.element() {
            Some((found, contents)) if found == tag => Ok(contents),
            _ => Err(Error::KeyMalformed),
        }
    }

    /// Steps over the next element.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        self.element().map(|_| ()).ok_or(Error::KeyMalformed)
    }

    /// The next element as an integer that is not negative: big-endian, without leading zeros.
    pub(crate) fn read_unsigned(&mut self) -> Result<&'a [u8], Error> {
        match self.read(INTEGER)? {
            [0] => Ok(&[]),
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Ok(rest),
            number @ [1..0x80, ..] => Ok(number),
            _ => Err(Error::KeyMalformed),
        }
    }

    /// The next element as a BIT STRING of whole bytes.
    pub(crate) fn read_bit_string(&mut self) -> Result<&'a [u8], Error> {
        match self.read(BIT_STRING)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(Error::KeyMalformed),
        }
    }

    /// Fails if there is anything left.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::KeyMalformed)
        }
    }

    fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Lengths of more than three bytes exceed every file that is read.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let len = bytes
                    .iter()
                    .fold(0, |len, byte| (len << 8) | usize::from(*byte));
                // DER has one encoding of a length: the shortest.
                let shortest = bytes.first() != Some(&0) && len > 0x7f;
                (shortest.then_some(len)?, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, contents))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_have_to_be_the_shortest_and_inside_the_input() {
        assert_eq!(
            Reader::new(&[4, 2, 1, 2]).read(OCTET_STRING).unwrap(),
            [1, 2]
        );
        let long = [&[4, 0x81, 0x80][..], &[7; 128]].concat();
        assert_eq!(Reader::new(&long).read(OCTET_STRING).unwrap(), [7; 128]);
        for bytes in [
            &[4, 0x81, 2, 1, 2][..],
            &[4, 0x82, 0, 2, 1, 2],
            &[4, 0x80, 0, 0],
            &[4, 3, 1, 2],
            &[4, 0x84, 0, 0, 0, 1, 1],
            &[4],
            &[],
        ] {
            assert!(Reader::new(bytes).read(OCTET_STRING).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn integers_are_not_negative_and_have_no_needless_zero() {
        let read = |bytes: &'static [u8]| Reader::new(bytes).read_unsigned().ok();
        assert_eq!(read(&[2, 1, 5]), Some(&[5][..]));
        assert_eq!(read(&[2, 1, 0]), Some(&[][..]));
        assert_eq!(read(&[2, 2, 0, 0x80]), Some(&[0x80][..]));
        assert_eq!(read(&[2, 2, 0, 5]), None);
        assert_eq!(read(&[2, 1, 0x80]), None);
        assert_eq!(read(&[2, 0]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.peek().is_some() && reader.skip().is_ok() {}
        }
    }
}
