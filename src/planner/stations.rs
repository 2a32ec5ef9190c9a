//! From station to station: two time scales. A model that learned which structured moments lie on the way to
//! a goal ([`facets::Stations`](crate::model::facets::Stations)) says where to go next and how long it takes;
//! a search over actions goes there. The goal itself is the last station.

use super::{Budget, Icem, Plan, Planner, Problem};
use crate::model::facets::{Station, Stations as Head};
use crate::model::{ModelError, require};

/// What is left of the distance to a goal where a station counts as the last one before it.
const END: f32 = 0.1;

/// Aims a search at the next station within its time.
pub struct Stations {
    /// Searches for the actions.
    pub search: Box<dyn Planner>,
    /// A station is reached once this share is left of the distance at which it was chosen; a distance
    /// grows as the square of what is off.
    pub near: f32,
    /// Proposals that are searched at most; the one whose cost and improbability are least is followed.
    pub tried: usize,
    /// Stations before the goal that are looked ahead at most.
    pub ahead: usize,
}

impl Default for Stations {
    fn default() -> Self {
        Self {
            search: Box::new(Icem::default()),
            near: 0.1,
            tried: 1,
            ahead: 6,
        }
    }
}

impl Stations {
    /// The station that the last plan went to, while it is neither reached nor out of time.
    fn kept(&self, head: &dyn Head, p: &Problem) -> Result<Option<Station>, ModelError> {
        let Some(station) = p.warm.and_then(|w| w.stations.first()) else {
            return Ok(None);
        };
        if station.is_goal || station.steps <= 0.0 {
            return Ok(None);
        }
        let left = head.distance(p.latent, station, true)?;
        Ok((left > self.near * station.away).then(|| station.clone()))
    }

    /// The stations from `first` on, the goal last: each is asked for where the one before it has led.
    fn route(
        &self,
        head: &dyn Head,
        p: &Problem,
        first: Station,
    ) -> Result<Vec<Station>, ModelError> {
        let mut goal = head.last(p.goal)?;
        goal.away = head.distance(p.latent, &goal, true)?;
        let mut route = Vec::new();
        let mut next = Some(first);
        while let Some(station) = next.take().filter(|s| !s.is_goal) {
            goal.steps = station.steps;
            let there = head.arrived(&station)?;
            // As near to the goal as this is the end of the way.
            let left = head.distance(&there, &goal, false)?;
            let began = station.steps;
            route.push(station);
            if left <= END * goal.away || route.len() >= self.ahead {
                break;
            }
            next = head
                .next(&there, p.goal)?
                .into_iter()
                .next()
                .map(|s| Station {
                    steps: began + s.steps,
                    ..s
                });
        }
        goal.steps = goal.steps.max(p.budget.hold as f32);
        route.push(goal);
        Ok(route)
    }

    /// Where to go: what was begun, or the likeliest proposals; the goal, where it is nearer than they are.
    fn choices(&self, head: &dyn Head, p: &Problem) -> Result<Vec<Station>, ModelError> {
        if let Some(kept) = self.kept(head, p)? {
            return Ok(vec![kept]);
        }
        let goal = head.last(p.goal)?;
        let left = head.distance(p.latent, &goal, false)?;
        let mut found = Vec::new();
        for mut station in head
            .next(p.latent, p.goal)?
            .into_iter()
            .take(self.tried.max(1))
        {
            station.away = head.distance(p.latent, &station, true)?;
            let moved = head.distance(p.latent, &station, false)?;
            found.push(match left < moved {
                true => goal.clone(),
                false => station,
            });
        }
        Ok(found)
    }

    /// Searches for actions that lead to the first station of a route, looking `steps` control steps ahead.
    fn towards(&self, p: &Problem, route: Vec<Station>, steps: f32) -> Result<Plan, ModelError> {
        let hold = p.budget.hold.max(1);
        let first = route.first().filter(|s| !s.is_goal);
        let goal = first.map_or_else(|| p.goal.clone(), |s| p.goal.at(s.latent.clone()));
        let tokens = (steps / hold as f32).ceil().max(2.0) as usize;
        let budget = Budget {
            horizon: tokens.clamp(1, p.budget.horizon.max(1)),
            ..*p.budget
        };
        let plan = self.search.plan(&Problem {
            goal: &goal,
            budget: &budget,
            ..*p
        })?;
        Ok(Plan {
            stations: route,
            ..plan
        })
    }
}

impl Planner for Stations {
    fn id(&self) -> &'static str {
        "stations"
    }

    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError> {
        let lack = "learned no keyframes, so it knows no stations; plan with cem or icem";
        let head = require(problem.model, problem.model.facets().stations, lack)?;
        let mut best: Option<(f32, Plan)> = None;
        let choices = self.choices(head, problem)?;
        // All look equally far, so that what they cost can be compared; the goal as far as it is allowed.
        let whole = problem.budget.steps() as f32;
        let far = |s: &Station| if s.is_goal { whole } else { s.steps };
        let steps = choices.iter().map(far).fold(1.0, f32::max);
        for station in choices {
            problem.cancel.check()?;
            let (probability, away) = (station.probability, station.away);
            let route = self.route(head, problem, station)?;
            let plan = self.towards(problem, route, steps)?;
            let left = plan.cost_by_step.last().copied().unwrap_or(f32::MAX);
            // What is left of the way, and how improbable the way is: both without units.
            let cost = left / away.max(f32::MIN_POSITIVE) - probability.max(1e-6).ln();
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, plan));
            }
        }
        match best {
            Some((_, plan)) => Ok(plan),
            None => self.search.plan(problem),
        }
    }
}
