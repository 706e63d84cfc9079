//! Deleting a workflow, and the workflows it started, with everything that is recorded of them.

use std::collections::BTreeSet;
use std::fmt;
use std::future::IntoFuture;

use futures_util::future::BoxFuture;

use super::{Change, Manager, Reach, nobody};
use crate::error::{Error, Result};
use crate::step::Question;
use crate::store::deletion::Deletion;

impl Manager {
    /// Deletes `workflow`, or nothing if it or one of those that go with it has not ended.
    pub(crate) async fn delete(&self, workflow: &str, reach: Reach) -> Result<Change> {
        if !self.store().exists(workflow).await? {
            return Err(nobody(workflow));
        }
        let descendants = match reach {
            Reach::Itself => Vec::new(),
            Reach::Descendants => self.descendants(workflow).await?,
        };
        let mut doomed = descendants.clone();
        doomed.push(workflow.to_owned());
        match self.store().delete(&doomed).await? {
            Deletion::Done => Ok(Change::Made { descendants }),
            Deletion::Refused { workflow, status } => Err(Error::NotEnded { workflow, status }),
        }
    }

    /// The workflows it started, those that these started, and so on. One that has ended starts no more.
    async fn descendants(&self, workflow: &str) -> Result<Vec<String>> {
        let mut seen = BTreeSet::from([workflow.to_owned()]);
        let mut parents = vec![workflow.to_owned()];
        while let Some(parent) = parents.pop() {
            for child in self.store().children(&parent).await? {
                if seen.insert(child.clone()) {
                    parents.push(child);
                }
            }
        }
        seen.remove(workflow);
        Ok(seen.into_iter().collect())
    }
}

/// A deletion: awaiting it deletes the workflow.
#[must_use = "a workflow is deleted only when this is awaited"]
pub struct DeleteWorkflow {
    workflow: String,
    reach: Reach,
    question: Question,
}

#[track_caller]
pub(crate) fn delete_workflow(workflow: String) -> DeleteWorkflow {
    DeleteWorkflow { workflow, reach: Reach::Itself, question: Question::here("DBOS.deleteWorkflow") }
}

impl DeleteWorkflow {
    /// Deletes the workflows that it started too, those that they started, and so on.
    pub fn with_children(mut self) -> Self {
        self.reach = Reach::Descendants;
        self
    }
}

impl fmt::Debug for DeleteWorkflow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("DeleteWorkflow").field(&self.workflow).field(&self.reach).finish()
    }
}

impl IntoFuture for DeleteWorkflow {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { workflow, reach, question } = self;
        Box::pin(question.answer(move |executor| async move {
            match Manager::Engine(executor).delete(&workflow, reach).await {
                // It is gone, perhaps by this very step before a crash.
                Ok(_) | Err(Error::NonExistentWorkflow { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        }))
    }
}
