//! Bundles as strangers get them.

#[cfg(test)]
mod bundle;
#[cfg(test)]
mod hostile;
