//! What decoding, encoding and counting cost.

use std::hint::black_box;

use basalt_resp::{
    ArgRanges, Args, Decoder, Encoder, Limits, LongDouble, Proto, ReplyClass, ReplyDecoder,
    ReplySkipper, encode_command,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn decode(c: &mut Criterion) {
    let value = [b'v'; 64];
    let commands: [(&str, Vec<&[u8]>); 4] = [
        ("ping", vec![b"PING"]),
        ("get", vec![b"GET", b"key:000000000123"]),
        ("set_64", vec![b"SET", b"key:000000000123", &value]),
        ("mset_100", {
            let mut args: Vec<&[u8]> = vec![b"MSET"];
            args.extend((0..50).flat_map(|_| [&b"key:000000000123"[..], &value]));
            args
        }),
    ];
    let mut group = c.benchmark_group("resp/decode");
    let limits = Limits::default();
    for (name, args) in &commands {
        let mut buf = Vec::new();
        encode_command(&mut buf, args);
        let (mut decoder, mut ranges) = (Decoder::new(), ArgRanges::new());
        group.throughput(Throughput::Elements(1));
        group.bench_function(*name, |b| {
            b.iter(|| {
                let used = decoder.decode(black_box(&buf), &limits, &mut ranges);
                let used = used.expect("well-formed").expect("complete");
                Args::new(&buf[..used], &ranges).len()
            });
        });
    }
    let (mut decoder, mut ranges) = (Decoder::new(), ArgRanges::new());
    group.bench_function("inline_get", |b| {
        b.iter(|| decoder.decode(black_box(b"GET key:000000000123\r\n"), &limits, &mut ranges));
    });
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("resp/encode");
    let mut out = Vec::with_capacity(1 << 20);
    let value = [b'v'; 64];
    let mut run = |name: &str, write: &dyn Fn(&mut Encoder<'_>)| {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                write(&mut Encoder::new(black_box(&mut out), Proto::Resp2));
            });
        });
    };
    run("ok", &|e| e.ok());
    run("bulk_64", &|e| e.bulk(black_box(&value)));
    run("null", &|e| e.null());
    run("integer", &|e| e.integer(black_box(1234567)));
    run("double", &|e| e.double(black_box(2.71828e-3)));
    run("array_of_100", &|e| {
        e.array(100);
        (0..100).for_each(|_| e.bulk(black_box(&value)));
    });
    run("deferred_array_of_100", &|e| {
        let mark = e.begin_deferred();
        (0..100).for_each(|_| e.bulk(black_box(&value)));
        e.end_deferred(mark, 100, basalt_resp::Aggregate::Array);
    });
    group.bench_function("command_set_64", |b| {
        b.iter(|| {
            out.clear();
            encode_command(
                &mut out,
                black_box(&[&b"SET"[..], b"key:000000000123", &value]),
            );
        });
    });
    group.finish();
}

fn replies(c: &mut Criterion) {
    const COUNT: u64 = 1000;
    let mut stream = Vec::new();
    for i in 0..COUNT {
        let mut encoder = Encoder::new(&mut stream, Proto::Resp2);
        if i % 2 == 0 {
            encoder.ok()
        } else {
            encoder.bulk([b'v'; 64])
        }
    }
    let mut group = c.benchmark_group("resp/replies");
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("skip", |b| {
        b.iter(|| {
            let (mut skipper, mut errors) = (ReplySkipper::new(), 0);
            let fed = skipper.feed(black_box(&stream), |class| {
                errors += u64::from(class == ReplyClass::Error);
            });
            fed.expect("well-formed");
            errors
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| {
            let (mut decoder, mut rest) = (ReplyDecoder::new(), black_box(&stream[..]));
            while let Some((_, used)) = decoder.decode(rest).expect("well-formed") {
                rest = &rest[used..];
            }
        });
    });
    group.finish();
}

fn numbers(c: &mut Criterion) {
    let mut group = c.benchmark_group("resp/numbers");
    group.bench_function("parse_i64", |b| {
        b.iter(|| basalt_resp::parse_i64(black_box(b"1234567")))
    });
    group.bench_function("parse_f64", |b| {
        b.iter(|| basalt_resp::parse_f64(black_box(b"2.71828e-3")))
    });
    group.bench_function("incrbyfloat", |b| {
        b.iter(|| {
            let sum =
                LongDouble::parse(black_box(b"10.5"))?.checked_add(LongDouble::parse(b"0.1")?);
            sum.map(|sum| sum.to_string())
        });
    });
    // The dearest text that is accepted.
    let worst = format!("0.{}1", "9".repeat(5000));
    group.bench_function("incrbyfloat_worst", |b| {
        b.iter(|| LongDouble::parse(black_box(worst.as_bytes())))
    });
    group.finish();
}

criterion_group!(benches, decode, encode, replies, numbers);
criterion_main!(benches);
