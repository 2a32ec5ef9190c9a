//! The examples that show the library do what they say.

#[path = "../../examples/imagine_and_plan.rs"]
#[allow(dead_code)]
mod imagine_and_plan;
#[path = "../../examples/own_model.rs"]
#[allow(dead_code)]
mod own_model;
#[path = "../../examples/own_scene.rs"]
#[allow(dead_code)]
mod own_scene;

#[test]
fn a_model_imagines_and_plans() {
    let said = imagine_and_plan::run().unwrap();
    assert!(
        said.contains("`cube`") && said.contains("distance to the goal"),
        "{said}"
    );
}

#[test]
fn a_model_of_your_own_reaches_goals() {
    let said = own_model::run(10).unwrap();
    let rate: f64 = said.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(rate >= 50.0, "{said}");
}

#[test]
fn a_scene_of_your_own_runs() {
    let dir = tempfile::tempdir().unwrap();
    let said = own_scene::run(&dir.path().join("scene.png")).unwrap();
    assert!(
        said.contains("the ball rose to") && dir.path().join("scene.png").is_file(),
        "{said}"
    );
}
