//! Stand-ins with the agreed shapes until the rooms land on main; removed then.
#![allow(missing_docs)]
use std::sync::Arc;
use crate::model::{Context, Goal, ModelError, WorldModel, Card};
use crate::scene::{Law, Scene};
use crate::sim::Reality;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq)]
pub struct Violation { pub law: Law, pub body: usize, pub first_frame: usize, pub last_frame: usize, pub severity: f32, pub boxes: Vec<[u16; 4]> }
#[derive(Clone, Debug, Default)]
pub struct Plan { pub actions: Vec<Vec<f32>>, pub cost: f32, pub first_actions: Vec<([f32; 2], f32)> }
pub struct Sight<'a> { pub context: &'a Context, pub reality: &'a Reality, pub goal: &'a Goal }
pub trait Controller: Send {
    fn decide(&mut self, sight: &Sight) -> Result<Vec<f32>, ModelError>;
    fn reset(&mut self);
    fn plan(&self) -> Option<&Plan>;
}
pub struct Random(pub u64);
impl Controller for Random {
    fn decide(&mut self, _: &Sight) -> Result<Vec<f32>, ModelError> {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let f = |s: u32| ((self.0 >> s) & 0xffff) as f32 / 32768.0 - 1.0;
        Ok(vec![f(20), f(40)])
    }
    fn reset(&mut self) {}
    fn plan(&self) -> Option<&Plan> { None }
}
pub struct Judge;
impl Judge {
    pub fn new(_: &Arc<Scene>) -> Self { Judge }
    pub fn frames(&self, _size: usize, _frames: &[&[u8]]) -> Vec<Violation> { vec![] }
}
pub struct TaskInstance { pub reality: Reality, pub goal: Goal, pub goal_place: [f32; 2], pub solved_at_start: bool }
pub fn instance(scene: &Arc<Scene>, seed: u64) -> Result<TaskInstance, crate::sim::SimError> {
    Ok(TaskInstance { reality: Reality::new(scene, seed)?, goal: Goal::default(), goal_place: [0.2, -0.2], solved_at_start: false })
}
pub struct Entry { pub name: String, pub dir: PathBuf, pub card: Result<Card, ModelError> }
pub fn scan(_: &Path) -> Vec<Entry> { vec![] }
pub fn load(_: &Path) -> Result<Arc<dyn WorldModel>, ModelError> { Err(ModelError::Cancelled) }
