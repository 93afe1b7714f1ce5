//! Places for the connections of one listener: bounded in all and by peer. A newcomer always gets
//! one; where there is none left, whoever holds most gives up its oldest.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Connections at once. Their descriptors are those that the queue and the database need.
const CONNECTIONS_MAX: usize = 128;

/// Connections of one peer at once. Half of all, because everyone behind one proxy is one peer.
const PEER_CONNECTIONS_MAX: usize = CONNECTIONS_MAX / 2;

/// Pages that may be open at once. Each keeps its connection, and other requests need some.
const PAGES_MAX: usize = CONNECTIONS_MAX / 2;

/// Pages of one peer at once, for the same reason.
const PEER_PAGES_MAX: usize = PEER_CONNECTIONS_MAX / 2;

/// Who counts as one: an address, or in IPv6 the network of 64 bits that one machine may choose its
/// addresses from (RFC 4291, section 2.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Peer(IpAddr);

impl Peer {
    fn of(ip: IpAddr) -> Self {
        const NETWORK: u128 = u128::MAX << 64;
        match ip.to_canonical() {
            IpAddr::V6(ip) if !ip.is_loopback() => {
                Self(Ipv6Addr::from_bits(ip.to_bits() & NETWORK).into())
            }
            ip => Self(ip),
        }
    }
}

#[derive(Debug)]
struct Taken {
    peer: Peer,
    is_page: bool,
    /// Dropped with the entry, which ends the connection.
    _end: oneshot::Sender<Infallible>,
}

#[derive(Debug, Default)]
struct Table {
    /// By number, so in the order in which they came.
    taken: BTreeMap<u64, Taken>,
    next: u64,
}

impl Table {
    fn of(&self, peer: Peer) -> usize {
        self.taken.values().filter(|taken| taken.peer == peer).count()
    }

    /// The connection that makes room for one of `newcomer`. Never an open page: there are always
    /// others, because pages have bounds below those of all.
    fn to_go(&self, newcomer: Peer) -> Option<u64> {
        let mut others = self.taken.iter().filter(|(_, taken)| !taken.is_page);
        if self.of(newcomer) >= PEER_CONNECTIONS_MAX {
            return others.find(|(_, taken)| taken.peer == newcomer).map(|(id, _)| *id);
        }
        if self.taken.len() < CONNECTIONS_MAX {
            return None;
        }
        let mut counts: BTreeMap<Peer, usize> = BTreeMap::new();
        for (_, taken) in others.clone() {
            *counts.entry(taken.peer).or_default() += 1;
        }
        let most = counts.values().copied().max();
        others.find(|(_, taken)| counts.get(&taken.peer).copied() == most).map(|(id, _)| *id)
    }
}

/// The places of one listener.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<Table>>);

impl Places {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection of `ip`, and what tells that it was lost to a newcomer.
    pub(super) fn take(&self, ip: IpAddr) -> (Place, Lost) {
        let (peer, mut table) = (Peer::of(ip), self.table());
        if let Some(id) = table.to_go(peer) {
            table.taken.remove(&id);
        }
        let (end, ended) = oneshot::channel();
        let id = table.next;
        table.next += 1;
        table.taken.insert(id, Taken { peer, is_page: false, _end: end });
        (Place { id, places: self.clone() }, Lost(ended))
    }
}

/// Tells a connection that its place went to another.
#[derive(Debug)]
pub(super) struct Lost(oneshot::Receiver<Infallible>);

impl Lost {
    pub(super) async fn lost(self) {
        // Nothing is ever sent: it ends because the sender is dropped.
        let _ = self.0.await;
    }
}

/// The place of one connection, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    places: Places,
}

impl Place {
    /// Keeps the place for a page that stays open.
    ///
    /// # Errors
    /// Where too many are open, in words.
    pub(super) fn open_page(&self) -> Result<(), String> {
        let mut table = self.places.table();
        let Some(peer) = table.taken.get(&self.id).map(|taken| taken.peer) else {
            return Err("the connection is about to be closed".to_owned());
        };
        let pages = || table.taken.values().filter(|taken| taken.is_page);
        if pages().filter(|taken| taken.peer == peer).count() >= PEER_PAGES_MAX {
            return Err(format!("{PEER_PAGES_MAX} pages are open from {}: close one", peer.0));
        }
        if pages().count() >= PAGES_MAX {
            return Err(format!("{PAGES_MAX} pages are open: close one"));
        }
        if let Some(taken) = table.taken.get_mut(&self.id) {
            taken.is_page = true;
        }
        Ok(())
    }

    pub(super) fn is_page(&self) -> bool {
        self.places.table().taken.get(&self.id).is_some_and(|taken| taken.is_page)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().taken.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// `count` connections of `from`, the oldest first.
    fn taken(places: &Places, from: &str, count: usize) -> Vec<(Place, Lost)> {
        (0..count).map(|_| places.take(ip(from))).collect()
    }

    fn has_lost(taken: &mut (Place, Lost)) -> bool {
        taken.1.0.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    fn lost(taken: &mut [(Place, Lost)]) -> Vec<usize> {
        (0..taken.len()).filter(|&index| has_lost(&mut taken[index])).collect()
    }

    #[test]
    fn a_peer_that_opens_more_than_it_may_loses_its_own_oldest() {
        let places = Places::default();
        let mut other = taken(&places, "10.0.0.1", 1);
        let mut greedy = taken(&places, "10.0.0.2", PEER_CONNECTIONS_MAX + 3);
        assert_eq!((lost(&mut other), lost(&mut greedy)), (vec![], vec![0, 1, 2]));
        assert_eq!(places.table().taken.len(), PEER_CONNECTIONS_MAX + 1);
    }

    #[test]
    fn many_peers_together_leave_room_for_one_more() {
        let places = Places::default();
        let mut few = taken(&places, "10.0.0.9", 2);
        let mut many: Vec<_> =
            (0..8).map(|peer| taken(&places, &format!("10.0.1.{peer}"), 20)).collect();
        let mut newcomer = taken(&places, "10.0.0.8", 1);
        assert_eq!(places.table().taken.len(), CONNECTIONS_MAX);
        assert_eq!((lost(&mut few), lost(&mut newcomer)), (vec![], vec![]));
        let left: Vec<usize> = many.iter_mut().map(|taken| 20 - lost(taken).len()).collect();
        assert_eq!(left.iter().sum::<usize>(), CONNECTIONS_MAX - 3);
        assert!(left.iter().all(|left| (15..=16).contains(left)), "{left:?}");
    }

    #[test]
    fn an_open_page_is_never_closed_for_a_newcomer_and_pages_are_bounded() {
        let places = Places::default();
        let mut pages = Vec::new();
        for peer in 0..2 {
            let opened = taken(&places, &format!("10.0.0.{peer}"), PEER_PAGES_MAX);
            assert!(opened.iter().all(|(place, _)| place.open_page().is_ok()));
            pages.extend(opened);
        }
        let (one_more, _lost) = places.take(ip("10.0.0.1"));
        let refused = one_more.open_page().expect_err("too many of this peer");
        assert_eq!(refused, "32 pages are open from 10.0.0.1: close one");
        let (of_another, _lost) = places.take(ip("10.0.0.2"));
        let refused = of_another.open_page().expect_err("too many in all");
        assert_eq!(refused, "64 pages are open: close one");
        let _flood = taken(&places, "10.0.0.1", 2 * CONNECTIONS_MAX);
        let _second = taken(&places, "10.0.0.3", 2 * CONNECTIONS_MAX);
        assert_eq!(lost(&mut pages), Vec::<usize>::new());
        assert_eq!(places.table().taken.len(), CONNECTIONS_MAX);
    }

    #[test]
    fn a_place_that_is_given_back_is_free() {
        let places = Places::default();
        drop(taken(&places, "10.0.0.1", CONNECTIONS_MAX));
        assert!(places.table().taken.is_empty());
    }

    #[test]
    fn addresses_that_one_machine_may_choose_are_one_peer() {
        assert_eq!(Peer::of(ip("2001:db8::1")), Peer::of(ip("2001:db8::ffff:2")));
        assert_ne!(Peer::of(ip("2001:db8::1")), Peer::of(ip("2001:db8:0:1::1")));
        assert_eq!(Peer::of(ip("::ffff:10.0.0.1")), Peer::of(ip("10.0.0.1")));
        assert_ne!(Peer::of(ip("10.0.0.1")), Peer::of(ip("10.0.0.2")));
        assert_ne!(Peer::of(ip("::1")), Peer::of(ip("::2")));
    }
}
