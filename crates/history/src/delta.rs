//! DELTA_BINARY_PACKED, as the Parquet format defines it: the difference to the number before, in blocks of 128, less the
//! block's smallest, in miniblocks of 32 with as many bits each as their largest needs.
//!
//! Written here, for the column writer of `parquet` packs bit by bit and looks at each number four times; pages are read
//! back by that library, and a test compares its decoder with this encoder.

/// Numbers a block.
const BLOCK: usize = 128;
/// Numbers a miniblock: packed with one width.
const MINIBLOCK: usize = 32;

/// A whole number of a column.
pub(crate) trait Whole: Copy + PartialEq {
    /// The difference to the number before, in the column's width: it wraps.
    fn delta(self, before: Self) -> i64;
    /// The number itself.
    fn wide(self) -> i64;
}

impl Whole for i64 {
    fn delta(self, before: Self) -> i64 {
        self.wrapping_sub(before)
    }

    fn wide(self) -> i64 {
        self
    }
}

impl Whole for i32 {
    fn delta(self, before: Self) -> i64 {
        i64::from(self.wrapping_sub(before))
    }

    fn wide(self) -> i64 {
        i64::from(self)
    }
}

/// Appends the encoding of `values` to `out`.
pub(crate) fn encode<N: Whole>(values: &[N], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINIBLOCK) as u64, out);
    varint(values.len() as u64, out);
    let Some((first, rest)) = values.split_first() else {
        varint(0, out);
        return;
    };
    zigzag(first.wide(), out);
    let mut before = *first;
    let mut deltas = [0_i64; BLOCK];
    for block in rest.chunks(BLOCK) {
        for (delta, value) in deltas.iter_mut().zip(block) {
            *delta = value.delta(before);
            before = *value;
        }
        encode_block(&mut deltas, block.len(), out);
    }
}

/// Appends one block: its smallest difference, the widths, the miniblocks that hold something.
fn encode_block(deltas: &mut [i64; BLOCK], count: usize, out: &mut Vec<u8>) {
    let smallest = deltas.iter().take(count).copied().min().unwrap_or(0);
    // What pads the last miniblock costs no bits.
    deltas.iter_mut().skip(count).for_each(|delta| *delta = smallest);
    zigzag(smallest, out);
    let widths_at = out.len();
    out.extend_from_slice(&[0; BLOCK / MINIBLOCK]);
    for (mini, deltas) in deltas.as_chunks::<MINIBLOCK>().0.iter().enumerate() {
        let above = deltas.map(|delta| delta.wrapping_sub(smallest).cast_unsigned());
        let width = u64::BITS - above.iter().fold(0, |bits, above| bits | above).leading_zeros();
        if width > 0 {
            out[widths_at + mini] = u8::try_from(width).expect("a number has at most 64 bits");
            pack(&above, width, out);
        }
    }
}

/// Packs 32 numbers of `width` bits, 1 to 64, the lowest bit first.
fn pack(values: &[u64; MINIBLOCK], width: u32, out: &mut Vec<u8>) {
    let mut packed = [0_u8; MINIBLOCK * 8 + 8];
    let (mut word, mut bits, mut at) = (0_u64, 0, 0);
    for value in values {
        word |= value << bits;
        bits += width;
        if bits >= u64::BITS {
            packed[at..at + 8].copy_from_slice(&word.to_le_bytes());
            at += 8;
            bits -= u64::BITS;
            word = if bits == 0 { 0 } else { value >> (width - bits) };
        }
    }
    packed[at..at + 8].copy_from_slice(&word.to_le_bytes());
    out.extend_from_slice(&packed[..MINIBLOCK * width as usize / 8]);
}

/// Definition levels of rows without a value, run-length encoded: the length of the run, shifted past the bit that says
/// it is one, and the level.
pub(crate) fn run_of_zeros(rows: usize) -> Vec<u8> {
    let mut out = Vec::new();
    varint((rows as u64) << 1, &mut out);
    out.push(0);
    out
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f | 0x80) as u8);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
}
