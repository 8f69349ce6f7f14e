//! `egret-proxy explain` and `egret-proxy check` as users run them.

mod stage;
mod worlds;

mod check;
mod explain;
mod verdicts;
