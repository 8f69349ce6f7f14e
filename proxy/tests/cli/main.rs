//! `egret-proxy explain` and `egret-proxy check` as users run them.

mod stage;

mod check;
mod explain;
mod verdicts;
