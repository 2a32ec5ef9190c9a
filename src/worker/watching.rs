//! Looking after a scene's file while it is shown: a saved file is read, and said to be good or bad.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::scene::Scene;

/// A thread that looks after a file; it ends when this is dropped.
pub struct Watch {
    news: Receiver<Result<Arc<Scene>, String>>,
    /// Never used to send: the thread sees that it is gone.
    _alive: Sender<()>,
}

impl Watch {
    /// What a saved file holds, or what is wrong with it; never waits. A file with the scene that is shown
    /// is no news, unless it was bad in between.
    pub fn poll(&self) -> Option<Result<Arc<Scene>, String>> {
        self.news.try_iter().last()
    }
}

/// What of a file changes when it is saved.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(SystemTime, u64)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let meta = std::fs::metadata(path);
        Self(meta.and_then(|m| Ok((m.modified()?, m.len()))).ok())
    }
}

/// Looks after the file of a scene, `every` so often.
///
/// # Errors
/// The system's error if no thread can be started.
pub fn watch(path: &Path, shown: Arc<Scene>, every: Duration) -> std::io::Result<Watch> {
    let (outbox, news) = bounded(4);
    let (alive, dropped) = bounded::<()>(0);
    let path: PathBuf = path.into();
    // The file may have been saved between being read and being watched: the first look compares, too.
    let mut seen = None;
    let (mut shown, mut was_bad) = (shown, false);
    std::thread::Builder::new()
        .name("watching".into())
        .spawn(move || {
            while dropped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let stamp = settled(&path);
                if seen == Some(stamp) {
                    continue;
                }
                seen = Some(stamp);
                let found = Scene::load(&path).map(Arc::new).map_err(|e| e.to_string());
                let is_new = match &found {
                    Ok(scene) => was_bad || **scene != *shown,
                    Err(_) => true,
                };
                was_bad = found.is_err();
                if let Ok(scene) = &found {
                    shown = scene.clone();
                }
                if !is_new {
                    continue;
                }
                if outbox.send(found).is_err() {
                    return;
                }
                super::waking::wake();
            }
        })?;
    Ok(Watch {
        news,
        _alive: alive,
    })
}

/// The file's stamp once nobody is writing to it: editors empty a file before they fill it.
fn settled(path: &Path) -> Stamp {
    const PAUSE: Duration = Duration::from_millis(40);
    let mut stamp = Stamp::of(path);
    for _ in 0..10 {
        std::thread::sleep(PAUSE);
        let again = Stamp::of(path);
        if again == stamp && again.0.is_some_and(|(_, bytes)| bytes > 0) {
            break;
        }
        stamp = again;
    }
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_saved_file_wakes_who_sleeps() {
        static WOKEN: AtomicUsize = AtomicUsize::new(0);
        super::super::on_news(Box::new(|| {
            WOKEN.fetch_add(1, Ordering::SeqCst);
        }));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scene.ron");
        let shown = Arc::new(crate::scene::load("fall").unwrap());
        std::fs::write(&path, "no scene").unwrap();
        let watch = watch(&path, shown, Duration::from_millis(5)).unwrap();
        let since = std::time::Instant::now();
        while WOKEN.load(Ordering::SeqCst) == 0 {
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "nobody was woken"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(watch.poll().is_some_and(|found| found.is_err()));
    }
}
