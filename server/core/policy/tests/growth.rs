//! What a policy costs grows with the nodes at most in proportion. Measured in CPU time of this thread, between sizes of
//! one run, so that neither the machine nor its other work matters.

#[cfg(test)]
#[allow(dead_code, reason = "the benchmark uses more of it")]
#[path = "../benches/classes/fleet.rs"]
mod fleet;
#[cfg(test)]
#[allow(dead_code, reason = "the benchmark uses more of it")]
#[path = "../benches/classes/partition.rs"]
mod partition;

use fleet::Shape;
use partition::{median, partition, visibility};
use policy::{Compiled, Policy};

const RULES: usize = 50;
const FEW: usize = 1_000;
const MANY: usize = 8_000;
const STEEPEST: f64 = 1.1;

/// Seconds for the classes of so many nodes, and for who sees whom.
#[cfg(test)]
fn cost(compiled: &Compiled, shape: Shape, nodes: usize) -> f64 {
    let members = fleet::fleet(shape, RULES, nodes);
    let time = median(5, || {
        let parted = partition(compiled, &members);
        visibility(compiled, &parted.ids.keys().collect::<Vec<_>>()).len()
    });
    time.as_secs_f64()
}

/// The exponent of growth; the least of some tries, since noise only adds.
#[cfg(test)]
fn slope(shape: Shape) -> f64 {
    let compiled = Compiled::compile(&Policy::parse(&fleet::policy(shape, RULES)).unwrap());
    let tries = (0..6).map(|_| {
        let ratio = cost(&compiled, shape, MANY) / cost(&compiled, shape, FEW);
        ratio.ln() / (MANY as f64 / FEW as f64).ln()
    });
    let mut least = f64::INFINITY;
    for found in tries {
        least = least.min(found);
        if least <= STEEPEST {
            break;
        }
    }
    least
}

#[test]
fn classes_grow_with_nodes_at_most_in_proportion() {
    for shape in fleet::SHAPES {
        let found = slope(shape);
        assert!(found <= STEEPEST, "{}: cost grows with the nodes to the power of {found:.2}", shape.name());
        assert!(found > 0.3, "{}: {found:.2} is no growth; is anything measured?", shape.name());
    }
}

/// The measure can tell: looking at every pair of nodes is caught.
#[test]
fn a_square_is_told_from_a_line() {
    let compiled = Compiled::compile(&Policy::parse(&fleet::policy(Shape::Roles, RULES)).unwrap());
    let square = |nodes: usize| {
        let members = fleet::fleet(Shape::Roles, RULES, nodes);
        let signatures: Vec<_> = members.iter().map(|member| compiled.signature(&member.subject())).collect();
        median(3, || {
            let seen = signatures.iter().map(|a| signatures.iter().filter(|b| compiled.sees(a, b)).count());
            seen.sum::<usize>()
        })
        .as_secs_f64()
    };
    let found = (square(800) / square(200)).ln() / 4f64.ln();
    assert!(found > STEEPEST, "{found}");
}
