//! (empty)
/// Stand-in.
pub struct Gate;
