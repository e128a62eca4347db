//! The order of a wasm's functions in which it compresses best. gzip finds again what stood up to 32 KiB before (RFC 1951); the compiler
//! leaves functions that are alike far from each other. So each function is followed by the one, of those that are left, that has most in
//! common with it. Nothing else changes: a function is called by its number, which is another one then.
//!
//! Only the order is found here. It is written into the wasm as the functions' names, and `wasm-opt --reorder-functions-by-name` does it.

use std::collections::HashMap;

use wasm_encoder::{NameMap, NameSection, Section};
use wasmparser::{Parser, Payload, TypeRef};

/// So many bytes are compared at once: an instruction or two.
const PIECE_BYTES: usize = 4;

/// Of each function so many pieces, chosen by their hashes, are looked for in others.
const SAMPLE: usize = 200;

/// What more functions than this have says nothing about them.
const MOST_OWNERS: usize = 2_000;

/// So many functions with most of the sample in common are compared piece by piece.
const CANDIDATES: usize = 40;

/// The same wasm, with names that sort its functions. It must have none.
pub(crate) fn named_by_likeness(mut wasm: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(&wasm) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(pieces(wasm.get(body.range()).unwrap_or_default())),
            _ => {}
        }
    }
    let mut places = vec![0; bodies.len()];
    for (place, function) in order(&bodies).into_iter().enumerate() {
        places[function] = place;
    }
    let mut functions = NameMap::new();
    for (number, place) in (imported..).zip(places) {
        functions.append(number, &format!("{place:06}"));
    }
    let mut section = NameSection::new();
    section.functions(&functions);
    section.append_to(&mut wasm);
    Ok(wasm)
}

/// The hashes of all pieces of a function, in order, each once.
fn pieces(body: &[u8]) -> Vec<u32> {
    // FNV-1a, and a last step that spreads it: the smallest hashes are the sample.
    let hash = |piece: &[u8]| {
        let sum = piece.iter().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        (sum ^ (sum >> 15)).wrapping_mul(0x2c1b_3c6d)
    };
    let mut pieces: Vec<u32> = body.windows(PIECE_BYTES).map(hash).collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

/// Each function once. The largest is first, and wherever nothing that is left is like the last one.
fn order(bodies: &[Vec<u32>]) -> Vec<usize> {
    let sample = |function: usize| bodies[function].iter().take(SAMPLE);
    let mut owners: HashMap<u32, Vec<usize>> = HashMap::new();
    for function in 0..bodies.len() {
        for piece in sample(function) {
            owners.entry(*piece).or_default().push(function);
        }
    }
    owners.retain(|_, owners| owners.len() < MOST_OWNERS);
    let mut by_size: Vec<usize> = (0..bodies.len()).collect();
    by_size.sort_by_key(|function| bodies[*function].len());
    let mut is_left = vec![true; bodies.len()];
    let mut order: Vec<usize> = Vec::new();
    while order.len() < bodies.len() {
        let like_last = order.last().and_then(|last| {
            let mut in_common: HashMap<usize, u32> = HashMap::new();
            for function in sample(*last).filter_map(|piece| owners.get(piece)).flatten().filter(|one| is_left[**one]) {
                *in_common.entry(*function).or_default() += 1;
            }
            let mut candidates: Vec<_> =
                in_common.into_iter().map(|(function, common)| (u32::MAX - common, function)).collect();
            candidates.sort_unstable();
            let compared = candidates.into_iter().take(CANDIDATES).map(|(_, function)| function);
            compared
                .max_by(|a, b| likeness(&bodies[*last], &bodies[*a]).total_cmp(&likeness(&bodies[*last], &bodies[*b])))
        });
        let next = like_last.or_else(|| std::iter::from_fn(|| by_size.pop()).find(|function| is_left[*function]));
        let Some(next) = next else { break };
        is_left[next] = false;
        order.push(next);
    }
    order
}

/// What two functions have in common, of all that they have (Jaccard).
#[allow(clippy::cast_precision_loss)] // a function has no 2^52 pieces
fn likeness(a: &[u32], b: &[u32]) -> f64 {
    let (mut left, mut right, mut common) = (a, b, 0_usize);
    while let ([first, rest @ ..], [other, others @ ..]) = (left, right) {
        common += usize::from(first == other);
        (left, right) = (if first <= other { rest } else { left }, if other <= first { others } else { right });
    }
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_stands_together() {
        let body = |text: &str| pieces(text.as_bytes());
        let bodies =
            ["the first of the long ones", "something else", "the second of the long ones", "something other", ""];
        let order = order(&bodies.map(body));
        assert_eq!(order, [2, 0, 3, 1, 4]);
    }

    #[test]
    fn what_two_have_in_common() {
        assert!((likeness(&[1, 2, 3], &[2, 3, 4]) - 0.5).abs() < 1e-9);
        assert!(likeness(&[], &[]).abs() < 1e-9);
    }
}
