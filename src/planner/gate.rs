//! Elites gated by surprise: of the cheapest candidates those are dropped whose imagined course has strayed
//! furthest from what observations look like, for a search for small costs finds the errors of its model.
//! The idea is that of the open pull request 98 of facebookresearch/vjepa2, which prunes elites of high
//! surprise.

/// Up to `elites` of the candidates of a search, by rising cost: of the cheapest `elites · (1 + share)`
/// (rounded) those that stray least; of two that stray alike the cheaper. `order` sorts the candidates by
/// cost, `strays` tells of each how far it has left; without it, or with a share of 0, the cheapest are the
/// elites.
pub(super) fn gated(
    order: &[usize],
    strays: Option<&[f32]>,
    elites: usize,
    share: f32,
) -> Vec<usize> {
    let elites = elites.min(order.len());
    let Some(strays) = strays else {
        return order[..elites].to_vec();
    };
    let wanted = (elites as f32 * (1.0 + share.max(0.0))).round() as usize;
    let listed = &order[..wanted.clamp(elites, order.len())];
    let mut places: Vec<usize> = (0..listed.len()).collect();
    places.sort_by(|&a, &b| {
        strays[listed[a]]
            .total_cmp(&strays[listed[b]])
            .then(a.cmp(&b))
    });
    places.truncate(elites);
    places.sort_unstable();
    places.into_iter().map(|place| listed[place]).collect()
}

/// All candidates with the elites first, and otherwise by rising cost as in `order`.
pub(super) fn elites_first(elites: &[usize], order: &[usize]) -> Vec<usize> {
    let rest = order.iter().filter(|i| !elites.contains(i));
    elites.iter().chain(rest).copied().collect()
}
