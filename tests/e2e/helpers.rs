//! What stories share: proxies in the world, certificates, a pod for egret-init.

pub(crate) mod stage;
pub(crate) mod load;
pub(crate) mod calls;
pub(crate) mod init_world;
pub(crate) mod tls_stage;
