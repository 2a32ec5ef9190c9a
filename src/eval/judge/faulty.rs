//! What comes out of an injection.

/// A film with a fault in it.
#[derive(Clone, Debug)]
pub struct Faulty {
    /// `[T]`, `[H, W, 3]` bytes each, the real ones before it included.
    pub frames: Vec<Vec<u8>>,
    /// First frame that shows it, counted from the first imagined one.
    pub first: usize,
    /// The body at fault; none where the film itself is.
    pub body: Option<usize>,
    /// Another body that takes part.
    pub other: Option<usize>,
    /// `[T]`: where it is to be seen, x0, y0, x1, y1 (exclusive); none where the picture is as it should be.
    pub places: Vec<Vec<[u16; 4]>>,
}
