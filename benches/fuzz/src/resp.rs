//! The decoders of requests and of replies.
//!
//! ```text
//!   0        1          3
//!   +--------+----------+----------------
//!   | limits | cuts u16 | the stream
//!   +--------+----------+----------------
//! ```

use basalt_resp::{
    ArgRanges, Args, Decoder, Limits, ProtocolError, ReplyDecoder, ReplySkipper, encode_command,
};

/// Requests and replies from any bytes.
pub fn resp(mut data: &[u8]) {
    let [choice] = crate::take(&mut data);
    let cuts = u16::from_le_bytes(crate::take(&mut data));
    let limits = Limits {
        max_bulk_bytes: if choice & 1 == 0 { 64 } else { 512 << 20 },
        max_args: if choice & 2 == 0 { 16 } else { 1 << 20 },
        max_inline_bytes: if choice & 4 == 0 { 32 } else { 64 << 10 },
        authenticated: choice & 8 == 0,
    };
    let whole = requests(data, &limits, data.len().max(1));
    let pieces = requests(data, &limits, usize::from(cuts % 13) + 1);
    assert_eq!(whole, pieces, "how a stream is cut changes what is in it");
    for args in &whole.0 {
        survive_encoding(args);
    }
    replies(data);
    skipped(data, usize::from(cuts % 7) + 1);
}

type Requests = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// The requests in `data` when it arrives in pieces of this size, and the error that ends it.
fn requests(data: &[u8], limits: &Limits, piece: usize) -> Requests {
    let (mut decoder, mut ranges) = (Decoder::new(), ArgRanges::new());
    let (mut found, mut start, mut end) = (Vec::new(), 0, 0);
    loop {
        match decoder.decode(&data[start..end], limits, &mut ranges) {
            Ok(Some(used)) => {
                assert!(used > 0 && start + used <= end, "it used what was there");
                let args = Args::new(&data[start..start + used], &ranges);
                found.push(args.iter().map(<[u8]>::to_vec).collect());
                start += used;
            }
            Ok(None) if end == data.len() => return (found, None),
            Ok(None) => {
                assert!(decoder.needed() > 0);
                end = (end + piece).min(data.len());
            }
            Err(error) => {
                let again = decoder.decode(&data[start..end], limits, &mut ranges);
                assert_eq!(again, Err(error), "an error stays");
                return (found, Some(error));
            }
        }
    }
}

fn survive_encoding(args: &[Vec<u8>]) {
    if args.is_empty() {
        return;
    }
    let (mut bytes, mut ranges) = (Vec::new(), ArgRanges::new());
    encode_command(&mut bytes, args);
    let used = Decoder::new().decode(&bytes, &Limits::default(), &mut ranges);
    assert_eq!(used, Ok(Some(bytes.len())));
    let back = Args::new(&bytes, &ranges);
    assert!(back.is_canonical());
    assert!(back.iter().eq(args.iter().map(Vec::as_slice)));
}

fn replies(data: &[u8]) {
    let (mut decoder, mut rest) = (ReplyDecoder::new(), data);
    while let Ok(Some((_, used))) = decoder.decode(rest) {
        assert!(used > 0);
        rest = &rest[used..];
    }
}

fn skipped(data: &[u8], piece: usize) {
    let mut skipper = ReplySkipper::new();
    for chunk in data.chunks(piece) {
        if skipper.feed(chunk, |_| ()).is_err() {
            return;
        }
    }
}
