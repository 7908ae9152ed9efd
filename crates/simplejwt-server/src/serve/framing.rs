//! Finds the end of an HTTP/1 request's body (RFC 9112, sections 6 and 7.1), which is where the
//! next head begins.

/// The state of a body that is being passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// This number of bytes is still to come.
    Length(u64),
    Chunked(Chunk),
}

/// The next part of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The first digit of a chunk's size.
    FirstDigit,
    Size(u64),
    /// The rest of the line after a chunk's size.
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// The beginning of a line after the last chunk.
    TrailerStart,
    Trailer,
    EndLf,
    End,
    /// It isn't a valid chunked body, so its end is unknown.
    Broken,
}

impl Framing {
    /// The beginning of a chunked body.
    pub(super) const CHUNKED: Self = Self::Chunked(Chunk::FirstDigit);

    /// Returns `true` if the whole body has been passed on.
    pub(super) const fn is_done(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::End))
    }

    pub(super) const fn is_broken(self) -> bool {
        matches!(self, Self::Chunked(Chunk::Broken))
    }

    /// Returns the number of these bytes that belong to the body: all of them if it continues
    /// beyond them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Length(left) => take(left, bytes.len()),
            Self::Chunked(chunk) => {
                let mut taken = 0;
                while let Some(&byte) = bytes.get(taken) {
                    match chunk {
                        Chunk::End | Chunk::Broken => break,
                        Chunk::Data(left) => {
                            taken += take(left, bytes.len() - taken);
                            if *left == 0 {
                                *chunk = Chunk::DataCr;
                            }
                        }
                        _ => {
                            *chunk = chunk.next(byte);
                            taken += 1;
                        }
                    }
                }
                taken
            }
        }
    }
}

fn take(left: &mut u64, length: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(length);
    *left -= taken as u64;
    taken
}

impl Chunk {
    /// Returns the state after one byte that isn't data.
    fn next(self, byte: u8) -> Self {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        match (self, byte) {
            (Self::FirstDigit, _) => digit.map_or(Self::Broken, Self::Size),
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeLf(size),
            (Self::Size(size), b' ' | b'\t' | b';') => Self::Extension(size),
            (Self::Size(size), _) => match (digit, size.checked_mul(16)) {
                (Some(digit), Some(size)) => Self::Size(size + digit),
                _ => Self::Broken,
            },
            (Self::Extension(size), byte) if byte != b'\n' => Self::Extension(size),
            (Self::SizeLf(0), b'\n') => Self::TrailerStart,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::FirstDigit,
            (Self::TrailerStart, b'\r') => Self::EndLf,
            (Self::TrailerStart | Self::Trailer, b'\n') => Self::TrailerStart,
            (Self::TrailerStart | Self::Trailer, _) => Self::Trailer,
            (Self::EndLf, b'\n') => Self::End,
            _ => Self::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of the bytes that belongs to the body if they come in pieces of this size.
    fn taken(mut framing: Framing, bytes: &[u8], piece: usize) -> (usize, Framing) {
        let mut whole = 0;
        for piece in bytes.chunks(piece) {
            let taken = framing.take(piece);
            whole += taken;
            if taken < piece.len() {
                break;
            }
        }
        (whole, framing)
    }

    #[test]
    fn a_body_ends_where_it_ends_whatever_the_pieces() {
        for (framing, body) in [
            (Framing::Length(0), ""),
            (Framing::Length(5), "hello"),
            (Framing::CHUNKED, "0\r\n\r\n"),
            (Framing::CHUNKED, "5\r\nhello\r\n0\r\n\r\n"),
            (Framing::CHUNKED, "005 \t\r\nhello\r\nA;a=\"b\"\r\n0123456789\r\n0\r\n\r\n"),
            (Framing::CHUNKED, "1\r\n\n\r\n000\r\nA: b\r\nC: d\r\n\r\n"),
        ] {
            let bytes = format!("{body}GET / HTTP/1.1\r\n");
            for piece in 1..bytes.len() {
                let (length, framing) = taken(framing, bytes.as_bytes(), piece);
                assert_eq!(length, body.len(), "{bytes:?} by {piece}");
                assert!(framing.is_done(), "{bytes:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_is_no_chunk_is_broken() {
        for body in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1\nabc",
            "1;a\nabc",
            "1\r\r",
            "1\r\nab",
            "1\r\na\n",
            "0\r\n\rx",
            "11111111111111111\r\n",
        ] {
            let (_, framing) = taken(Framing::CHUNKED, body.as_bytes(), 3);
            assert!(framing.is_broken(), "{body:?}: {framing:?}");
        }
    }
}
