mod files;
mod lines;
