//! The order of a wasm's functions in which it compresses best. gzip finds again what stood up to 32 KiB before (RFC 1951); the compiler
//! leaves functions that are alike far from each other. So what comes next is always the function, of those that are left, of which most
//! stands in these 32 KiB already, and what stands in the last of them counts more, since gzip says a short way back in fewer bits. Nothing
//! else changes: a function is called by its number, which is another one then.
//!
//! Only the order is found here. It is written into the wasm as the functions' names, and `wasm-opt --reorder-functions-by-name` does it.

use std::collections::{HashMap, VecDeque};

use wasm_encoder::{NameMap, NameSection, Section};
use wasmparser::{Parser, Payload, TypeRef};

/// So many bytes are compared at once: an instruction or three.
const PIECE_BYTES: usize = 6;

/// What more functions than this have stands near every one of them anyway, and what one alone has nowhere.
const MOST_OWNERS: usize = 300;

/// How far back gzip finds something, and how far back is near.
const WINDOW_BYTES: usize = 32 * 1024;
const NEAR_BYTES: usize = 1_000;

/// How much more counts what is near.
const NEAR_WEIGHT: f64 = 0.5;

/// So many pieces more than it has are taken for each function: else the shortest ones, which are all like something, would all come first.
const SHORTEST_PIECES: f64 = 300.0;

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
            Payload::CodeSectionEntry(body) => bodies.push(wasm.get(body.range()).unwrap_or_default()),
            _ => {}
        }
    }
    let mut places = vec![0; bodies.len()];
    for (place, function) in Likeness::of(&bodies).order().into_iter().enumerate() {
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

/// Which pieces the functions have, and in whose places they stand.
struct Likeness {
    /// Of each function its length, and how many pieces it has, each counted once.
    sizes_bytes: Vec<usize>,
    pieces: Vec<f64>,
    /// Of each function the pieces that some others have, too; and of each such piece its functions.
    shared: Vec<Vec<usize>>,
    owners: Vec<Vec<usize>>,
}

impl Likeness {
    fn of(bodies: &[&[u8]]) -> Self {
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        let mut owners: Vec<Vec<usize>> = Vec::new();
        let mut shared: Vec<Vec<usize>> = Vec::new();
        for (function, body) in bodies.iter().enumerate() {
            let mut own = Vec::new();
            for piece in body.windows(PIECE_BYTES) {
                let number = *numbers.entry(piece).or_insert(owners.len());
                if number == owners.len() {
                    owners.push(Vec::new());
                }
                if owners[number].last() != Some(&function) {
                    owners[number].push(function);
                    own.push(number);
                }
            }
            shared.push(own);
        }
        #[allow(clippy::cast_precision_loss)] // a function has no 2^52 pieces
        let pieces = shared.iter().map(|own| own.len() as f64).collect();
        let is_shared = |piece: &usize| (2..=MOST_OWNERS).contains(&owners[*piece].len());
        for own in &mut shared {
            own.retain(is_shared);
        }
        Self { sizes_bytes: bodies.iter().map(|body| body.len()).collect(), pieces, shared, owners }
    }

    /// Each function once. The largest is first, and wherever nothing that is left is like anything in the window.
    fn order(&self) -> Vec<usize> {
        let count = self.pieces.len();
        let mut by_size: Vec<usize> = (0..count).collect();
        by_size.sort_by_key(|function| self.sizes_bytes[*function]);
        let mut is_left = vec![true; count];
        let (mut window, mut near) = (Window::new(self, WINDOW_BYTES), Window::new(self, NEAR_BYTES));
        let mut order = Vec::with_capacity(count);
        while order.len() < count {
            let likeness = |function: &usize| {
                let common = f64::from(window.common[*function]) + NEAR_WEIGHT * f64::from(near.common[*function]);
                common / (self.pieces[*function] + SHORTEST_PIECES)
            };
            let is_like = |function: &usize| is_left[*function] && window.common[*function] > 0;
            let most_like = (0..count).filter(is_like).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let next = most_like.or_else(|| std::iter::from_fn(|| by_size.pop()).find(|function| is_left[*function]));
            let Some(next) = next else { break };
            is_left[next] = false;
            order.push(next);
            window.push(next);
            near.push(next);
        }
        order
    }
}

/// The functions that were placed last, up to a length.
struct Window<'a> {
    likeness: &'a Likeness,
    most_bytes: usize,
    bytes: usize,
    functions: VecDeque<usize>,
    /// How often each piece stands here.
    times: Vec<u32>,
    /// How many of each function's pieces do.
    common: Vec<u32>,
}

impl<'a> Window<'a> {
    fn new(likeness: &'a Likeness, most_bytes: usize) -> Self {
        let (times, common) = (vec![0; likeness.owners.len()], vec![0; likeness.pieces.len()]);
        Self { likeness, most_bytes, bytes: 0, functions: VecDeque::new(), times, common }
    }

    /// The next function, for which the first ones go; a long one is there whole.
    fn push(&mut self, function: usize) {
        self.functions.push_back(function);
        self.bytes += self.likeness.sizes_bytes[function];
        for piece in &self.likeness.shared[function] {
            self.times[*piece] += 1;
            if self.times[*piece] == 1 {
                for owner in &self.likeness.owners[*piece] {
                    self.common[*owner] += 1;
                }
            }
        }
        while self.bytes > self.most_bytes && self.functions.len() > 1 {
            let Some(first) = self.functions.pop_front() else { return };
            self.bytes -= self.likeness.sizes_bytes[first];
            for piece in &self.likeness.shared[first] {
                self.times[*piece] -= 1;
                if self.times[*piece] == 0 {
                    for owner in &self.likeness.owners[*piece] {
                        self.common[*owner] -= 1;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_stands_together() {
        let bodies =
            ["the first of the long ones", "something else", "the second of the long ones", "something other", ""];
        let order = Likeness::of(&bodies.map(str::as_bytes)).order();
        assert_eq!(order, [2, 0, 3, 1, 4]);
    }

    #[test]
    fn what_has_left_the_window_is_not_found_in_it() {
        let likeness = Likeness::of(&[b"abcdefgh", b"xxabcdef", b"0123456789"]);
        let mut window = Window::new(&likeness, 10);
        window.push(0);
        assert_eq!(window.common, [1, 1, 0]);
        window.push(2);
        assert_eq!((window.common, window.bytes), (vec![0, 0, 0], 10));
    }
}
