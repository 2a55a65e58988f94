//! What each stage costs, on 200 000 packets of a SYN flood and on as many of whole conversations:
//! `cargo bench --bench stages`.
//!
//! The captures are those of `examples/bench-captures`, cut short and held in memory, so that no disk is
//! measured.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a benchmark that cannot go on says where")]

use std::hint::black_box;
use std::io::{self, Cursor};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use network_security_monitor::capture::{Block, FileSource, Source};
use network_security_monitor::config::Config;
use network_security_monitor::decode::{self, PacketBatch};
use network_security_monitor::detect::{self, Capture, Context};
use network_security_monitor::table::{self, Part, Store, Tables, Wire};

#[path = "../examples/bench-captures/conversations.rs"]
mod conversations;
#[allow(dead_code, reason = "of the floods, one is measured here")]
#[path = "../examples/bench-captures/floods.rs"]
mod floods;
#[path = "../examples/bench-captures/packet.rs"]
mod packet;
#[allow(dead_code, reason = "shared with the generators of captures")]
#[path = "../examples/common/pcap.rs"]
mod pcap;
#[path = "../examples/common/prng.rs"]
mod prng;

use pcap::{ETHERNET, PcapWriter, WHOLE_FRAMES};

/// Microseconds of 2024-03-05T09:00:00Z.
const BASE: u64 = 1_709_629_200_000_000;
const PACKETS: u64 = 200_000;
/// Frames that one worker decodes at a time, as in the pipeline.
const FRAMES_PER_PART: usize = 4_096;

/// What the generators write to: a capture in memory that takes so many packets and no more.
struct Out {
    writer: PcapWriter<Vec<u8>>,
    left: u64,
}

impl Out {
    fn frame(&mut self, at_micros: u64, head: &[u8], payload: &[u8]) -> io::Result<()> {
        if self.left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left -= 1;
        self.writer.frame(at_micros, head, payload)
    }
}

fn capture(write: impl FnOnce(&mut Out) -> io::Result<()>) -> Arc<[u8]> {
    let mut out = Out { writer: PcapWriter::new(Vec::new(), ETHERNET, WHOLE_FRAMES).unwrap(), left: PACKETS };
    // It ends because the capture is full.
    assert_eq!(write(&mut out).unwrap_err().kind(), io::ErrorKind::StorageFull);
    out.writer.finish().unwrap().into()
}

fn source(bytes: &Arc<[u8]>) -> FileSource {
    FileSource::from_reader("bench".into(), Box::new(Cursor::new(Arc::clone(bytes)))).unwrap()
}

fn walk(bytes: &Arc<[u8]>) -> usize {
    let (mut source, mut block, mut frames) = (source(bytes), Block::default(), 0);
    while source.next_block(&mut block).unwrap() {
        frames += block.frames.len();
    }
    frames
}

fn blocks(bytes: &Arc<[u8]>) -> Vec<Block> {
    let mut source = source(bytes);
    let next = || {
        let mut block = Block::default();
        source.next_block(&mut block).unwrap().then_some(block)
    };
    std::iter::from_fn(next).collect()
}

fn decode_all(blocks: &[Block], batch: &mut PacketBatch) -> usize {
    let decoded = blocks.iter().map(|block| {
        batch.clear();
        decode::decode(block, 0..block.frames.len(), batch);
        batch.packets.len()
    });
    decoded.sum()
}

/// Decoded and sorted by shard, as the store takes it.
fn with_parts(block: Block) -> (Block, Vec<Part>) {
    let frames = block.frames.len();
    let starts = (0..frames).step_by(FRAMES_PER_PART);
    let filled = starts.map(|start| {
        let mut part = Part::default();
        decode::decode(&block, start..frames.min(start + FRAMES_PER_PART), &mut part.batch);
        part.partition();
        part
    });
    let parts = filled.collect();
    (block, parts)
}

fn tables(blocks: &[(Block, Vec<Part>)], config: &Config) -> Tables {
    let mut store = Store::new(&table::Settings::of(&config.base));
    for (block, parts) in blocks {
        black_box(store.push(Wire { bytes: &block.bytes, frames: &block.frames }, parts).len());
    }
    store.finish(&mut |_| Ok(())).unwrap()
}

fn judge(tables: &Tables, config: &Config) -> usize {
    let context = Context::new(tables, config, Capture { frames: PACKETS, ..Capture::default() }).unwrap();
    detect::run(&context, &|_| true).unwrap().len()
}

fn stages(criterion: &mut Criterion) {
    measure(criterion.benchmark_group("syn_flood"), &capture(|out| floods::syn(out, 1)));
    measure(criterion.benchmark_group("conversations"), &capture(|out| conversations::write(out, 1)));
}

fn measure(mut group: BenchmarkGroup<'_, criterion::measurement::WallTime>, bytes: &Arc<[u8]>) {
    let config = Config::default();
    group.throughput(Throughput::Elements(PACKETS)).sampling_mode(SamplingMode::Flat).sample_size(20);
    group.measurement_time(Duration::from_secs(4));
    group.bench_function("walk", |bencher| bencher.iter(|| walk(bytes)));

    let blocks = blocks(bytes);
    let mut batch = PacketBatch::default();
    group.bench_function("decode", |bencher| bencher.iter(|| decode_all(&blocks, &mut batch)));

    let decoded: Vec<(Block, Vec<Part>)> = blocks.into_iter().map(with_parts).collect();
    group.bench_function("tables", |bencher| bencher.iter_with_large_drop(|| tables(&decoded, &config)));

    let finished = tables(&decoded, &config);
    group.bench_function("detectors", |bencher| bencher.iter(|| judge(&finished, &config)));
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
