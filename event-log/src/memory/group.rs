//! How partitions are shared between the members of a group.

/// One group of a log in memory.
#[derive(Default)]
pub(super) struct Group {
    /// In the order in which they joined.
    members: Vec<u64>,
    joined: u64,
    pub(super) shares: Vec<Share>,
}

/// What a group knows of one partition.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Share {
    /// Who reads it now.
    pub(super) holder: Option<u64>,
    /// Who is to read it.
    target: Option<u64>,
    /// Up to where it is done.
    pub(super) committed: Option<u64>,
}

impl Group {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            shares: vec![Share::default(); partitions],
            ..Self::default()
        }
    }

    /// Takes a new member and returns its number.
    pub(super) fn join(&mut self) -> u64 {
        self.joined += 1;
        self.members.push(self.joined);
        self.balance();
        self.joined
    }

    pub(super) fn leave(&mut self, member: u64) {
        self.members.retain(|&other| other != member);
        for share in &mut self.shares {
            if share.holder == Some(member) {
                share.holder = None;
            }
        }
        self.balance();
    }

    /// The partition that a member is to take next, which is nobody's now.
    pub(super) fn waiting_for(&self, member: u64) -> Option<usize> {
        self.shares
            .iter()
            .position(|share| share.holder.is_none() && share.target == Some(member))
    }

    /// The partitions that a member holds and that others are to have.
    pub(super) fn wanted_from(&self, member: u64) -> Vec<usize> {
        let wanted = |share: &Share| share.holder == Some(member) && share.target != Some(member);
        (0..)
            .zip(&self.shares)
            .filter(|(_, share)| wanted(share))
            .map(|(partition, _)| partition)
            .collect()
    }

    pub(super) fn release(&mut self, partition: usize, member: u64) {
        if let Some(share) = self.shares.get_mut(partition)
            && share.holder == Some(member)
        {
            share.holder = None;
        }
    }

    fn count(&self, member: u64) -> usize {
        let of = |share: &&Share| share.target == Some(member);
        self.shares.iter().filter(of).count()
    }

    /// Gives each member as many partitions as the others, and moves no more than that needs.
    fn balance(&mut self) {
        for at in 0..self.shares.len() {
            let least = self.members.iter().copied().min_by_key(|&m| self.count(m));
            let members = &self.members;
            if let Some(share) = self.shares.get_mut(at)
                && share.target.is_none_or(|target| !members.contains(&target))
            {
                share.target = least;
            }
        }
        loop {
            let least = self.members.iter().copied().min_by_key(|&m| self.count(m));
            let most = self.members.iter().copied().max_by_key(|&m| self.count(m));
            let (Some(least), Some(most)) = (least, most) else {
                return;
            };
            if self.count(most) <= self.count(least) + 1 {
                return;
            }
            if let Some(share) = self.shares.iter_mut().rfind(|s| s.target == Some(most)) {
                share.target = Some(least);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(group: &Group) -> Vec<usize> {
        group.members.iter().map(|&m| group.count(m)).collect()
    }

    #[test]
    fn members_have_equally_many_and_keep_what_they_can() {
        let mut group = Group::new(4);
        let first = group.join();
        assert_eq!(counts(&group), [4]);
        let second = group.join();
        assert_eq!(counts(&group), [2, 2]);
        let before: Vec<_> = group.shares.iter().map(|s| s.target).collect();
        let third = group.join();
        let mut all = counts(&group);
        all.sort_unstable();
        assert_eq!(all, [1, 1, 2]);
        let moved = group
            .shares
            .iter()
            .zip(before)
            .filter(|(now, before)| now.target != *before)
            .count();
        assert_eq!(moved, 1);
        for member in [first, third] {
            group.leave(member);
        }
        assert_eq!(counts(&group), [4]);
        group.leave(second);
        assert!(group.shares.iter().all(|s| s.target.is_none()));
    }

    #[test]
    fn a_partition_is_held_by_one() {
        let mut group = Group::new(2);
        let first = group.join();
        for partition in [0, 1] {
            assert_eq!(group.waiting_for(first), Some(partition));
            group.shares[partition].holder = Some(first);
        }
        let second = group.join();
        assert_eq!(group.waiting_for(second), None);
        let wanted = group.wanted_from(first);
        assert_eq!(wanted.len(), 1);
        group.release(wanted[0], first);
        assert_eq!(group.waiting_for(second), Some(wanted[0]));
    }
}
