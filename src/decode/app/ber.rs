//! Elements of BER (ITU-T X.690): tag, length, content. Tags of one byte and definite lengths only, which is all
//! that LDAP and Kerberos use.

/// What the first bytes of an element say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Tag, bytes of tag and length, bytes of content.
    Known {
        tag: u8,
        header: usize,
        content: usize,
    },
    /// Too few bytes.
    Cut,
    Invalid,
}

pub(super) fn header(bytes: &[u8]) -> Header {
    let [tag, first, more @ ..] = bytes else { return Header::Cut };
    let following = match *first {
        short @ 0..=0x7f => return Header::Known { tag: *tag, header: 2, content: usize::from(short) },
        long @ 0x81..=0x84 => usize::from(long & 0x7f),
        _ => return Header::Invalid,
    };
    let Some(length) = more.get(..following) else { return Header::Cut };
    let content = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Header::Known { tag: *tag, header: 2 + following, content }
}

/// The first element, whole: its tag, its content, and what follows it.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let Header::Known { tag, header, content } = header(bytes) else { return None };
    let (content, rest) = bytes.get(header..)?.split_at_checked(content)?;
    Some((tag, content, rest))
}

/// The content of the first element, which must have this tag, and what follows it.
pub(super) fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_both_forms_are_read_as_x690_section_8_1_3_says() {
        assert_eq!(header(&[0x30, 0x26]), Header::Known { tag: 0x30, header: 2, content: 38 });
        assert_eq!(header(&[0x30, 0x81, 0xc9]), Header::Known { tag: 0x30, header: 3, content: 201 });
        assert_eq!(header(&[0x30, 0x84, 0, 0, 1, 2]), Header::Known { tag: 0x30, header: 6, content: 258 });
        assert_eq!(header(&[0x30, 0x84, 0, 0]), Header::Cut);
        assert_eq!(header(&[0x30, 0x80]), Header::Invalid);
        assert_eq!(element(&[4, 2, 7, 8, 9]), Some((4, &[7, 8][..], &[9][..])));
        assert_eq!(element(&[4, 2, 7]), None);
    }
}
