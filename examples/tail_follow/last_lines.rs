//! Where the last lines of a file begin: read from its end, block by block.

use std::io;

use wakeline::fs::File;

/// Bytes that are looked through at a time; no more are held.
const BLOCK: u64 = 64 << 10;

/// Where the last `lines` lines of the first `size` bytes begin.
///
/// What is behind the last newline is a line, if it is not empty.
pub(crate) async fn start_of(file: &File, size: u64, lines: u64) -> io::Result<u64> {
    if lines == 0 {
        return Ok(size);
    }
    let mut block = vec![0; BLOCK as usize];
    let mut end = size;
    let mut newlines = 0;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let bytes = &mut block[..(end - start) as usize];
        if !fill(file, bytes, start).await? {
            // It was cut off just now: whoever follows sees that, too.
            return Ok(start);
        }
        for (i, byte) in bytes.iter().enumerate().rev() {
            let at = start + i as u64;
            // The newline at the very end ends the last line.
            if *byte == b'\n' && at + 1 < size {
                newlines += 1;
                if newlines == lines {
                    return Ok(at + 1);
                }
            }
        }
        end = start;
    }
    Ok(0)
}

/// Reads all of `bytes`; `false` if the file ends before.
async fn fill(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<bool> {
    let mut read = 0;
    while read < bytes.len() {
        match file
            .read_at(&mut bytes[read..], offset + read as u64)
            .await?
        {
            0 => return Ok(false),
            n => read += n,
        }
    }
    Ok(true)
}
