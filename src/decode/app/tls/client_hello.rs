//! The ClientHello of TLS (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), as far as its bytes go.
//!
//! Knows its fields. Knows nothing of records and fingerprints.

pub(super) mod extension {
    pub const SERVER_NAME: u16 = 0x0000;
    pub const SIGNATURE_ALGORITHMS: u16 = 0x000d;
    pub const ALPN: u16 = 0x0010;
    pub const SUPPORTED_VERSIONS: u16 = 0x002b;
}

#[derive(Debug)]
pub(super) struct ClientHello<'a> {
    /// The version before TLS 1.3 had its own extension for it.
    pub version: u16,
    pub ciphers: Vec<u16>,
    /// Type and content, in their order.
    pub extensions: Vec<(u16, &'a [u8])>,
    /// It was read to its end.
    pub whole: bool,
}

impl<'a> ClientHello<'a> {
    /// Reads a message's body, which may be cut; none if that is before the ciphers.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(body);
        let version = rest.number()?;
        let _random = rest.take(32)?;
        let _session = rest.short_list()?;
        let ciphers = numbers(rest.list()?).collect();
        let mut hello = Self { version, ciphers, extensions: Vec::new(), whole: false };
        hello.whole = hello.read_extensions(&mut rest).is_some();
        Some(hello)
    }

    /// None if they end too early.
    fn read_extensions(&mut self, rest: &mut Reader<'a>) -> Option<()> {
        let _compression = rest.short_list()?;
        if rest.0.is_empty() {
            return Some(());
        }
        let length = usize::from(rest.number()?);
        let mut block = Reader(rest.0.get(..length).unwrap_or(rest.0));
        while !block.0.is_empty() {
            let kind = block.number()?;
            self.extensions.push((kind, block.list()?));
        }
        (rest.0.len() >= length).then_some(())
    }

    pub fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        self.extensions.iter().find(|(of, _)| *of == kind).map(|(_, content)| *content)
    }

    /// RFC 6066 section 3: the first name of type host_name.
    pub fn server_name(&self) -> Option<&'a [u8]> {
        let mut names = Reader(Reader(self.extension(extension::SERVER_NAME)?).list()?);
        let [0] = names.take(1)? else { return None };
        names.list().filter(|name| !name.is_empty())
    }

    /// RFC 7301: the first protocol that is offered.
    pub fn first_protocol(&self) -> Option<&'a [u8]> {
        let mut protocols = Reader(Reader(self.extension(extension::ALPN)?).list()?);
        protocols.short_list()
    }

    pub fn signature_algorithms(&self) -> impl Iterator<Item = u16> + use<'a> {
        numbers(self.extension(extension::SIGNATURE_ALGORITHMS).and_then(|content| Reader(content).list()).unwrap_or_default())
    }

    pub fn supported_versions(&self) -> impl Iterator<Item = u16> + use<'a> {
        numbers(self.extension(extension::SUPPORTED_VERSIONS).and_then(|content| Reader(content).short_list()).unwrap_or_default())
    }
}

/// RFC 8701: values without a meaning, such as 0x2a2a, that keep servers tolerant.
pub(super) fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> + use<'_> {
    bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*number))
    }

    /// A list with its length in two bytes before it.
    fn list(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::from(length))
    }

    /// A list with its length in one byte before it.
    fn short_list(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first()?;
        self.0 = rest;
        self.take(usize::from(*length))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn list(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn counted(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    /// The example of FoxIO's description of JA4, as a message with GREASE values between its own: ciphers,
    /// extensions and signature algorithms in the order given there.
    pub(in super::super) fn hello() -> Vec<u8> {
        let ciphers = [
            0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let kinds = [
            0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a,
            0x0015, 0xfafa,
        ];
        let algorithms = [0x4a4a, 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        let mut extensions = Vec::new();
        for kind in kinds {
            let content = match kind {
                extension::SERVER_NAME => counted(&[vec![0], counted(b"WWW.example.org")].concat()),
                extension::ALPN => counted(b"\x02h2\x08http/1.1"),
                extension::SIGNATURE_ALGORITHMS => counted(&list(&algorithms)),
                extension::SUPPORTED_VERSIONS => [vec![6], list(&[0x3a3a, 0x0304, 0x0303])].concat(),
                _ => vec![0; 3],
            };
            extensions.extend([list(&[kind]), counted(&content)].concat());
        }
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.push(0);
        body.extend(counted(&list(&ciphers)));
        body.extend([1, 0]);
        body.extend(counted(&extensions));
        let [_, high, mid, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
        [vec![1, high, mid, low], body].concat()
    }

    #[test]
    fn grease_is_what_rfc_8701_lists() {
        let listed: Vec<u16> = (0..=0xffff).filter(|value| is_grease(*value)).collect();
        let want = [
            0x0a0a, 0x1a1a, 0x2a2a, 0x3a3a, 0x4a4a, 0x5a5a, 0x6a6a, 0x7a7a, 0x8a8a, 0x9a9a, 0xaaaa, 0xbaba, 0xcaca, 0xdada, 0xeaea, 0xfafa,
        ];
        assert_eq!(listed, want);
    }

    #[test]
    fn a_hello_of_old_without_extensions_is_whole() {
        let mut body = vec![3, 1];
        body.extend([9; 32]);
        body.extend([0, 0, 2, 0, 0x2f, 1, 0]);
        let hello = ClientHello::read(&body).unwrap();
        assert!(hello.whole);
        assert_eq!((hello.version, hello.ciphers), (0x0301, vec![0x2f]));
    }
}
