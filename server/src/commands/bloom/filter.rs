//! A filter's parameters and layers, as its extra bytes hold them; looking up and adding items.
//!
//! ```text
//!   u8 version   u8 flags (1: does not scale)   u32 expansion   f64 error rate   u64 capacity of the first layer
//!   u64 items in the last layer   per layer: u32 chunks, u16 bytes of a chunk, u8 hash functions       all LE
//! ```

use basalt_tiering::{Collection, Fault, MAIN};

use super::layout::Layout;
use super::place::{Place, has_all, set_all};

const VERSION: u8 = 1;
const DOES_NOT_SCALE: u8 = 1;
/// RedisBloom stops here, too. More than a dozen come about only where layers do not grow.
const LAYERS_MAX: usize = 1000;
/// A layer is made for no lower rate: beyond it, equal hashes decide.
const RATE_MIN: f64 = 1.0 / (1u64 << 60) as f64;
/// Each layer has this part of the error rate of the one before.
const TIGHTENING: f64 = 0.5;

/// What a filter was made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parameters {
    pub(super) error: f64,
    pub(super) capacity: u64,
    /// How many times as large the next layer is; 0 if there is none.
    pub(super) expansion: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            error: 0.01,
            capacity: 100,
            expansion: 2,
        }
    }
}

/// Why an item cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The filter does not scale.
    Fixed,
    /// The next layer would be too large.
    Layers,
}

/// See the module's text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    pub(super) parameters: Parameters,
    /// Items of the last layer.
    last_items: u64,
    pub(super) layers: Vec<Layout>,
}

/// The key of a chunk in the tree.
pub(super) fn chunk_key(layer: usize, chunk: u32) -> [u8; 6] {
    let mut key = [0; 6];
    key[..2].copy_from_slice(&(layer as u16).to_be_bytes());
    key[2..].copy_from_slice(&chunk.to_be_bytes());
    key
}

impl Filter {
    /// An empty filter; `None` if it would be too large.
    pub(super) fn new(parameters: Parameters) -> Option<Filter> {
        let mut filter = Filter {
            parameters,
            last_items: 0,
            layers: Vec::new(),
        };
        filter.grow().then_some(filter)
    }

    /// The filter that an open collection holds; `None` if that is empty.
    pub(super) fn read(open: &Collection<'_, '_>) -> Option<Filter> {
        open.existed()
            .then(|| Filter::decode(open.extra()).expect("a filter's extra bytes are its own"))
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Filter> {
        let rest = &mut bytes;
        let ([version], [flags]) = (take::<1>(rest)?, take::<1>(rest)?);
        if version != VERSION || flags & !DOES_NOT_SCALE != 0 {
            return None;
        }
        let expansion = u32::from_le_bytes(take(rest)?);
        let parameters = Parameters {
            error: f64::from_le_bytes(take(rest)?),
            capacity: u64::from_le_bytes(take(rest)?),
            expansion,
        };
        let last_items = u64::from_le_bytes(take(rest)?);
        let mut layers = Vec::with_capacity(rest.len() / 7);
        while !rest.is_empty() {
            let layout = Layout {
                chunks: u32::from_le_bytes(take(rest)?),
                chunk_bytes: u16::from_le_bytes(take(rest)?),
                hashes: u8::from_le_bytes(take(rest)?),
            };
            layers.push(layout);
        }
        let filter = Filter {
            parameters,
            last_items,
            layers,
        };
        filter.is_sound(flags).then_some(filter)
    }

    fn is_sound(&self, flags: u8) -> bool {
        let Parameters {
            error,
            capacity,
            expansion,
        } = self.parameters;
        let capacities = || (0..self.layers.len()).map(|layer| self.capacity_of(layer));
        error > 0.0
            && error < 1.0
            && capacity > 0
            && (expansion == 0) == (flags == DOES_NOT_SCALE)
            && (1..=LAYERS_MAX).contains(&self.layers.len())
            && (expansion > 0 || self.layers.len() == 1)
            && self.layers.iter().all(Layout::is_sound)
            && capacities().all(|capacity| capacity.is_some())
            && capacities()
                .flatten()
                .try_fold(0, u64::checked_add)
                .is_some()
            && capacities()
                .next_back()
                .flatten()
                .is_some_and(|last| self.last_items <= last)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let fixed = self.parameters.expansion == 0;
        let mut out = vec![VERSION, if fixed { DOES_NOT_SCALE } else { 0 }];
        out.extend_from_slice(&self.parameters.expansion.to_le_bytes());
        out.extend_from_slice(&self.parameters.error.to_le_bytes());
        out.extend_from_slice(&self.parameters.capacity.to_le_bytes());
        out.extend_from_slice(&self.last_items.to_le_bytes());
        for layer in &self.layers {
            out.extend_from_slice(&layer.chunks.to_le_bytes());
            out.extend_from_slice(&layer.chunk_bytes.to_le_bytes());
            out.push(layer.hashes);
        }
        out
    }

    fn capacity_of(&self, layer: usize) -> Option<u64> {
        let growth = u64::from(self.parameters.expansion).checked_pow(layer as u32);
        growth.and_then(|growth| self.parameters.capacity.checked_mul(growth))
    }

    /// Items that fit its layers.
    pub(super) fn capacity(&self) -> u64 {
        self.capacities(self.layers.len())
    }

    fn capacities(&self, layers: usize) -> u64 {
        (0..layers)
            .filter_map(|layer| self.capacity_of(layer))
            .sum()
    }

    /// Items that were added.
    pub(super) fn items(&self) -> u64 {
        self.capacities(self.layers.len() - 1) + self.last_items
    }

    /// Bytes of a filter all of whose chunks are there.
    pub(super) fn bytes(&self) -> u64 {
        let bits: u64 = self.layers.iter().map(Layout::bytes).sum();
        bits + self.encode().len() as u64
    }

    /// Adds a layer; false if it would be too large.
    fn grow(&mut self) -> bool {
        let number = self.layers.len();
        let first = match self.parameters.expansion {
            0 => self.parameters.error,
            _ => self.parameters.error * TIGHTENING,
        };
        let error = (0..number).fold(first, |error, _| error * TIGHTENING);
        let layout = self
            .capacity_of(number)
            .filter(|capacity| self.capacity().checked_add(*capacity).is_some())
            .and_then(|capacity| Layout::fit(capacity, error.max(RATE_MIN)));
        if number < LAYERS_MAX
            && let Some(layout) = layout
        {
            self.layers.push(layout);
            self.last_items = 0;
            return true;
        }
        false
    }

    /// Reads together what looking up or adding these items will need.
    pub(super) fn prefault(
        &self,
        open: &Collection<'_, '_>,
        places: &[Place],
        to_add: bool,
    ) -> Result<(), Fault> {
        let mut keys: Vec<[u8; 6]> = Vec::with_capacity(places.len() * self.layers.len() + 1);
        for place in places {
            let layers = self.layers.iter().enumerate();
            keys.extend(layers.map(|(layer, layout)| chunk_key(layer, place.chunk(layer, layout))));
        }
        if to_add {
            // Layers that are added come behind all others.
            keys.push(chunk_key(self.layers.len(), 0));
        }
        open.prefault(MAIN, keys.iter().map(<[u8; 6]>::as_slice))
    }

    /// True if the item may have been added. The newest layer is the largest, so it is asked first.
    pub(super) fn contains(&self, open: &Collection<'_, '_>, place: &Place) -> Result<bool, Fault> {
        for (layer, layout) in self.layers.iter().enumerate().rev() {
            let key = chunk_key(layer, place.chunk(layer, layout));
            let chunk = open.get(MAIN, &key)?;
            if chunk.is_some_and(|chunk| has_all(&chunk, place.bits(layer, layout))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds an item; `Ok(false)` if it seems to be there already. The caller stores the filter.
    pub(super) fn add(
        &mut self,
        open: &mut Collection<'_, '_>,
        place: &Place,
    ) -> Result<Result<bool, Full>, Fault> {
        if self.contains(open, place)? {
            return Ok(Ok(false));
        }
        if Some(self.last_items) >= self.capacity_of(self.layers.len() - 1) {
            if self.parameters.expansion == 0 {
                return Ok(Err(Full::Fixed));
            }
            if !self.grow() {
                return Ok(Err(Full::Layers));
            }
        }
        let layer = self.layers.len() - 1;
        let layout = self.layers[layer];
        let key = chunk_key(layer, place.chunk(layer, &layout));
        let mut chunk = match open.get(MAIN, &key)? {
            Some(chunk) => chunk.to_vec(),
            None => vec![0; usize::from(layout.chunk_bytes)],
        };
        set_all(&mut chunk, place.bits(layer, &layout));
        open.insert(MAIN, &key, &chunk)?;
        self.last_items += 1;
        Ok(Ok(true))
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (field, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_reads_back_as_it_was_written() {
        let mut filter = Filter::new(Parameters::default()).expect("it is small");
        for _ in 0..5 {
            assert!(filter.grow());
        }
        filter.last_items = 17;
        let bytes = filter.encode();
        assert_eq!(Filter::decode(&bytes).as_ref(), Some(&filter));
        assert_eq!(filter.capacity(), 100 * 63);
        assert_eq!(filter.items(), 100 * 31 + 17);
        for cut in 0..bytes.len() {
            let whole = (cut + 7 - 30 % 7) % 7 == 0;
            assert!(
                whole || Filter::decode(&bytes[..cut]).is_none(),
                "cut at {cut}"
            );
        }
        let mut damaged = bytes;
        damaged[6..14].copy_from_slice(&1.5f64.to_le_bytes());
        assert_eq!(Filter::decode(&damaged), None);
    }

    #[test]
    fn layers_become_stricter_and_larger() {
        let parameters = Parameters {
            error: 0.01,
            capacity: 4,
            expansion: 4,
        };
        let mut filter = Filter::new(parameters).expect("it is small");
        assert!(filter.grow() && filter.grow());
        let hashes: Vec<u8> = filter.layers.iter().map(|layer| layer.hashes).collect();
        assert_eq!(hashes, [8, 9, 10]);
        assert_eq!(filter.capacity(), 4 + 16 + 64);
    }

    #[test]
    fn growth_ends_somewhere() {
        let parameters = Parameters {
            error: 0.01,
            capacity: u64::from(u32::MAX),
            expansion: u32::MAX,
        };
        let mut filter = Filter::new(parameters).expect("one layer fits");
        assert!(!filter.grow());
        let parameters = Parameters {
            error: 0.01,
            capacity: 1,
            expansion: 1,
        };
        let mut filter = Filter::new(parameters).expect("it is small");
        while filter.grow() {}
        assert_eq!(filter.layers.len(), LAYERS_MAX);
        assert_eq!(Filter::decode(&filter.encode()), Some(filter));
    }
}
