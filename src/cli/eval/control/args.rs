//! What `eval control` is asked for: search, budget, goals.

use super::super::subject::{NfeArgs, SubjectArgs, episodes};
use crate::model::WorldModel;
use crate::planner::{Adam, Budget, Cem, CostShape, Icem, Mppi, Planner, Stations};
use crate::task::GoalKind;

/// Success, latency and cost of a controller.
#[derive(clap::Args, Debug)]
pub struct ControlArgs {
    #[command(flatten)]
    pub actor: ActorArgs,
    /// Episodes
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = episodes())]
    pub(super) episodes: u64,
    /// Measure at each of several values of a field, such as cube.mass=0.1,0.3,1, camera.x=0,0.1 or
    /// cube.colour=Blue,Green (repeatable), with how far each lies outside the training range, and the
    /// oracle beside it
    #[arg(long, value_name = "FIELD=A,B,..")]
    pub(super) sweep: Vec<String>,
    /// Leave out the floor (random) and the ceiling (oracle)
    #[arg(long)]
    pub(super) no_references: bool,
}

/// Who acts, where, and how it plans.
#[derive(clap::Args, Debug)]
pub struct ActorArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    #[command(flatten)]
    pub(super) sampling: NfeArgs,
    /// How to search [default: cem]
    #[arg(long, value_enum)]
    pub(super) planner: Option<Search>,
    /// Candidates an iteration (gradient: starts)
    #[arg(long, value_name = "N", value_parser = count)]
    pub(super) candidates: Option<usize>,
    /// Iterations a decision
    #[arg(long, value_name = "N", value_parser = count)]
    pub(super) iterations: Option<usize>,
    /// Milliseconds a decision, within which as many iterations run as fit (at most --iterations where that
    /// is given)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600_000))]
    pub(super) ms: Option<u32>,
    /// Tokens planned ahead
    #[arg(long, value_name = "N", value_parser = steps)]
    pub(super) horizon: Option<usize>,
    /// Control steps for which a token holds its action
    #[arg(long, value_name = "N", value_parser = steps)]
    pub(super) hold: Option<usize>,
    /// Control steps that a plan is followed before the next
    #[arg(long, value_name = "N", value_parser = steps)]
    pub(super) replan: Option<usize>,
    /// Begin every search anew, not from the last plan
    #[arg(long)]
    pub(super) cold: bool,
    /// Standard deviation of actions at the start of a search
    #[arg(long, value_parser = sigma)]
    pub(super) sigma: Option<f32>,
    /// Exponent of the noise's spectrum over tokens (icem; 0 is white)
    #[arg(long, value_parser = beta)]
    pub(super) beta: Option<f32>,
    /// What a model that imagines pixels compares with the goal's picture: `colours` (where each hue is),
    /// `pixels` (mean squared error), `latents` (latent diffusion, hybrids), or the folder of a learned
    /// distance [default: colours; of hybrids: latents]; of a JEPA: `temporal`, the steps still needed,
    /// where it learned them
    #[arg(long, value_name = "DISTANCE")]
    pub(super) distance: Option<String>,
    /// Cost of a plan, over all imagined steps or the last [default: sum]
    #[arg(long, value_enum)]
    pub(super) cost: Option<Shape>,
    /// Where goals come from [default: scene]
    #[arg(long, value_enum)]
    goals: Option<Goals>,
    /// Candidates of a search's first iteration that come from the model's action prior, where it learned one
    /// (cem, icem, stations) [default: 0]
    #[arg(long, value_name = "N", value_parser = proposals)]
    pub(super) proposals: Option<usize>,
    /// Surprise-gated elites: so many candidates for each elite are listed besides, and as many of the list
    /// are dropped whose imagined course strays most from what observations look like (cem, icem, stations;
    /// models that tell, such as V-JEPA) [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = beta)]
    pub(super) gate: Option<f32>,
    /// Next structured moments that are searched at most (stations) [default: 1]
    #[arg(long, value_name = "N", value_parser = count)]
    pub(super) tried: Option<usize>,
    /// Share of the distance to a structured moment at which it is reached (stations) [default: 0.1]
    #[arg(long, value_name = "SHARE", value_parser = beta)]
    pub(super) near: Option<f32>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Cross-entropy method
    Cem,
    /// CEM with coloured noise and elites that live on
    Icem,
    /// Path integral control: candidates weighted by cost
    Mppi,
    /// Adam along the model's gradient (LeWM)
    Gradient,
    /// icem from one structured moment to the next, for models that learned them (keyframes)
    Stations,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Goals {
    /// As the scene's task says
    Scene,
    /// A later moment of an episode recorded with the scene's behaviour
    Experience,
    /// The task's own sampler
    Task,
}

impl From<Goals> for GoalKind {
    fn from(goals: Goals) -> Self {
        match goals {
            Goals::Scene => GoalKind::Scene,
            Goals::Experience => GoalKind::Experience,
            Goals::Task => GoalKind::Task,
        }
    }
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Sum over all imagined steps
    Sum,
    /// The last imagined step alone
    Last,
}

/// A whole number in a range.
fn whole(text: &str, low: usize, high: usize) -> Result<usize, String> {
    let number = text.trim().parse().ok();
    number
        .filter(|n| (low..=high).contains(n))
        .ok_or_else(|| format!("found `{text}`, expected a whole number from {low} to {high}"))
}

fn count(text: &str) -> Result<usize, String> {
    whole(text, 1, 100_000)
}

fn steps(text: &str) -> Result<usize, String> {
    whole(text, 1, 1000)
}

fn proposals(text: &str) -> Result<usize, String> {
    whole(text, 0, 100_000)
}

fn sigma(text: &str) -> Result<f32, String> {
    crate::cli::number_in(text, 0.0, 10.0).map(|n| n as f32)
}

/// Also 0, which is white.
fn beta(text: &str) -> Result<f32, String> {
    crate::cli::number_in(text, -f64::MIN_POSITIVE, 10.0).map(|n| n.max(0.0) as f32)
}

impl ActorArgs {
    /// The search that was asked for, or the usual one.
    pub(super) fn search(&self) -> Search {
        self.planner.unwrap_or(Search::Cem)
    }

    /// Where goals come from.
    pub fn goals(&self) -> GoalKind {
        self.goals.unwrap_or(Goals::Scene).into()
    }

    /// Whether the search colours its noise.
    pub(super) fn has_coloured_noise(&self) -> bool {
        matches!(self.search(), Search::Icem | Search::Stations)
    }

    /// Whether the search goes from station to station.
    pub(super) fn has_stations(&self) -> bool {
        self.search() == Search::Stations
    }

    /// Whether plans are measured by the steps that they still need.
    pub(super) fn is_temporal(&self) -> bool {
        self.distance.as_deref() == Some("temporal")
    }

    /// Whether the search can begin with a model's proposals.
    pub(super) fn takes_proposals(&self) -> bool {
        matches!(self.search(), Search::Cem | Search::Icem | Search::Stations)
    }

    /// The options that were given, by name.
    pub(super) fn asked(&self) -> Vec<&'static str> {
        let all = [
            ("planner", self.planner.is_some()),
            ("candidates", self.candidates.is_some()),
            ("iterations", self.iterations.is_some()),
            ("ms", self.ms.is_some()),
            ("horizon", self.horizon.is_some()),
            ("hold", self.hold.is_some()),
            ("replan", self.replan.is_some()),
            ("cold", self.cold),
            ("sigma", self.sigma.is_some()),
            ("beta", self.beta.is_some()),
            ("distance", self.distance.is_some()),
            ("cost", self.cost.is_some()),
            ("goals", self.goals.is_some()),
            ("proposals", self.proposals.is_some()),
            ("gate", self.gate.is_some()),
            ("tried", self.tried.is_some()),
            ("near", self.near.is_some()),
        ];
        all.iter().filter(|o| o.1).map(|o| o.0).collect()
    }

    /// How the search makes one cost of distances.
    pub(super) fn shape(&self) -> CostShape {
        match self.cost {
            None | Some(Shape::Sum) => CostShape::Sum,
            Some(Shape::Last) => CostShape::Last,
        }
    }

    /// The search, with what was asked for in place of its preset.
    pub(super) fn planner(&self) -> Box<dyn Planner> {
        let shape = self.shape();
        let proposals = self.proposals.unwrap_or(0);
        let sigma = |preset: f32| self.sigma.unwrap_or(preset);
        match self.search() {
            Search::Cem => {
                let preset = Cem::default();
                Box::new(Cem {
                    shape,
                    proposals,
                    gate: self.gate.unwrap_or(0.0),
                    sigma: sigma(preset.sigma),
                    ..preset
                })
            }
            Search::Icem => Box::new(self.icem()),
            Search::Stations => Box::new(Stations {
                search: Box::new(self.icem()),
                tried: self.tried.unwrap_or(Stations::default().tried),
                near: self.near.unwrap_or(Stations::default().near),
                ..Stations::default()
            }),
            Search::Mppi => {
                let preset = Mppi::default();
                Box::new(Mppi {
                    shape,
                    sigma: sigma(preset.sigma),
                    ..preset
                })
            }
            Search::Gradient => {
                let preset = Adam::default();
                Box::new(Adam {
                    shape,
                    sigma: sigma(preset.sigma),
                    ..preset
                })
            }
        }
    }

    fn icem(&self) -> Icem {
        let preset = Icem::default();
        Icem {
            shape: self.shape(),
            proposals: self.proposals.unwrap_or(0),
            gate: self.gate.unwrap_or(0.0),
            beta: self.beta.unwrap_or(preset.beta),
            sigma: self.sigma.unwrap_or(preset.sigma),
            ..preset
        }
    }

    /// What differs from a preset is what was asked for.
    pub(super) fn within(&self, preset: Budget) -> Budget {
        // By the clock alone: more iterations than any clock allows.
        let iterations = match (self.iterations, self.ms) {
            (Some(n), _) => n,
            (None, Some(_)) => 100_000,
            (None, None) => preset.iterations,
        };
        Budget {
            candidates: self.candidates.unwrap_or(preset.candidates),
            iterations,
            horizon: self.horizon.unwrap_or(preset.horizon),
            hold: self.hold.unwrap_or(preset.hold),
            milliseconds: self.ms,
        }
    }

    /// What a decision of `model` may cost.
    pub(super) fn budget(&self, model: &dyn WorldModel) -> Budget {
        let preset = Budget::for_model(model);
        self.within(match self.search() {
            Search::Gradient => Budget {
                candidates: 30,
                iterations: 30,
                ..preset
            },
            _ => preset,
        })
    }
}
