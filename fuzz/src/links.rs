//! Link types that are read, and some that are not, by their numbers in the tcpdump.org registry.

pub const LINKS: [u16; 28] =
    [1, 0, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 119, 127, 163, 192, 228, 229, 239, 242, 276, 281, 282, 284, 285, 195, 220, 65_535];
