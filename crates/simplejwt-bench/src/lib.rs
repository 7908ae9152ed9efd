//! The benchmarks of `cargo xtask bench`, all in one place: those of the library are in `benches/`,
//! those of the running server beside Django in `server/`, in Python; `xtask/src/bench` generates
//! the load.
