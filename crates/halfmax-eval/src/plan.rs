//! Which models an evaluation fits, and how the evaluated models use them.

use halfmax_core::AnyModel;

use crate::stack::as_stack;
use crate::{Folds, NamedModel, Protocol, Stack};

/// Which models to fit, and how the evaluated models use them.
pub(crate) struct Plan<'a> {
    /// Every model to fit: the evaluated models, and members of stacks.
    pub(crate) singles: Vec<Single<'a>>,
    /// The role of every evaluated model.
    pub(crate) roles: Vec<Role<'a>>,
}

pub(crate) struct Single<'a> {
    pub(crate) name: String,
    pub(crate) model: &'a dyn AnyModel,
    /// Whether its out-of-fold predictions are needed.
    pub(crate) nested: bool,
    /// Whether the evaluation continues if the model fails.
    pub(crate) optional: bool,
    /// Whether the model is needed for a stack only, so that its errors are the stack's.
    pub(crate) only_member: bool,
}

pub(crate) enum Role<'a> {
    /// One of the single models.
    Single { at: usize, intervals: bool },
    /// A stack of single models.
    Stack { stack: &'a Stack, members: Vec<usize>, intervals: bool },
}

impl<'a> Plan<'a> {
    pub(crate) fn new(models: &[NamedModel<'a>], folds: &Folds, protocol: &Protocol) -> Self {
        let nestable = folds.count() >= 3;
        let stack_of = |named: &NamedModel<'a>| as_stack(named.model).filter(|_| nestable);
        let intervals = |name: &str| protocol.intervals.as_ref().is_some_and(|own| own.includes(name));
        let mut plan = Self { singles: Vec::new(), roles: Vec::new() };
        for named in models.iter().filter(|named| stack_of(named).is_none()) {
            plan.single(&named.name, named.model, false);
        }
        for named in models {
            let intervals = intervals(&named.name);
            let role = match stack_of(named) {
                None => {
                    let at = plan.single(&named.name, named.model, false);
                    plan.singles[at].nested |= intervals;
                    Role::Single { at, intervals }
                }
                Some(stack) => {
                    let mut members = Vec::new();
                    for (name, model) in stack.members() {
                        let at = plan.single(name, &**model, true);
                        plan.singles[at].nested = true;
                        plan.singles[at].optional |= stack.skips_failed();
                        members.push(at);
                    }
                    Role::Stack { stack, members, intervals }
                }
            };
            plan.roles.push(role);
        }
        plan
    }

    /// The number of a single model. It is added if it is not there yet. Models are compared by address: two models with
    /// the same name are different.
    fn single(&mut self, name: &str, model: &'a dyn AnyModel, only_member: bool) -> usize {
        let same = |single: &Single| std::ptr::addr_eq(single.model, model) && single.name == name;
        if let Some(at) = self.singles.iter().position(same) {
            return at;
        }
        self.singles.push(Single { name: name.into(), model, nested: false, optional: false, only_member });
        self.singles.len() - 1
    }
}
