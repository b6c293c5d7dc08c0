// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControlEnumerable} from "@openzeppelin/contracts/access/extensions/AccessControlEnumerable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

interface IRewardToken {
    function mint(address to, uint256 amount) external;
}

/// Pays cumulative rewards. Each epoch's root says what every address has earned since the first epoch, so that nothing
/// is lost when a root replaces another. A root counts once `threshold` oracles have attested exactly the same one; what
/// a single root may add to the total owed, and what may be claimed within a window, are bounded, and never is more paid
/// than the attested totals say is owed, whatever a root's leaves claim.
///
/// Oracles attest by transactions of their own, so that no signature of theirs can be replayed, repeated or outlive them.
///
/// An address is paid at its own request, or at anybody's with its signature. Never otherwise: the tree holds reserves
/// at addresses that have no key, and those must not be emptied by a stranger.
contract RewardDistributor is AccessControlEnumerable, Pausable, EIP712 {
    bytes32 public constant ORACLE_ROLE = keccak256("ORACLE_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 private constant CLAIM_TYPEHASH =
        keccak256("Claim(address account,uint256 cumulative,uint256 amount,uint256 nonce,uint256 deadline)");

    IRewardToken public immutable token;
    uint256 public threshold; // attestations a root needs
    uint256 public capPerEpoch; // the most that one root may add to the total owed
    uint256 public capPerWindow; // the most that may be claimed within one window
    uint256 public immutable window; // seconds

    uint64 public epoch; // of the current root: the number of the week since 1969-12-29
    bytes32 public root;
    uint256 public owed; // sum of the current root's leaves
    uint256 public paid; // sum of all claims
    mapping(uint64 => bytes32) public roots;
    mapping(address => uint256) public claimed;
    mapping(address => uint256) public nonces;

    /// Who attested what for an epoch: the hash of root, total and manifest.
    mapping(uint64 => mapping(address => bytes32)) public attested;

    uint256 private windowStart;
    uint256 private windowPaid;

    event Attested(uint64 indexed epoch, address indexed oracle, bytes32 root, uint256 total, bytes32 manifest);
    event RootPublished(uint64 indexed epoch, bytes32 root, uint256 total, bytes32 manifest);
    event Claimed(uint64 indexed epoch, address indexed account, uint256 amount, uint256 cumulative);
    event LimitsChanged(uint256 threshold, uint256 capPerEpoch, uint256 capPerWindow);

    error OldEpoch(uint64 epoch);
    error AlreadyAttested(uint64 epoch, address oracle);
    error TotalOutOfRange(uint256 total);
    error WrongProof();
    error NothingToClaim();
    error WindowExhausted(uint256 left);
    error MoreThanOwed(uint256 left);
    error BadSignature();
    error Expired();
    error BadLimits();

    constructor(IRewardToken token_, address admin, uint256 threshold_, uint256 capPerEpoch_, uint256 capPerWindow_, uint256 window_)
        EIP712("roadcomb rewards", "1")
    {
        if (window_ == 0) revert BadLimits();
        token = token_;
        window = window_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _setLimits(threshold_, capPerEpoch_, capPerWindow_);
    }

    function setLimits(uint256 threshold_, uint256 capPerEpoch_, uint256 capPerWindow_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setLimits(threshold_, capPerEpoch_, capPerWindow_);
    }

    function _setLimits(uint256 threshold_, uint256 capPerEpoch_, uint256 capPerWindow_) private {
        if (threshold_ == 0) revert BadLimits();
        (threshold, capPerEpoch, capPerWindow) = (threshold_, capPerEpoch_, capPerWindow_);
        emit LimitsChanged(threshold_, capPerEpoch_, capPerWindow_);
    }

    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    /// An oracle says that it computed this root, total and manifest for the epoch. The one that completes the threshold
    /// publishes it. An oracle speaks once for an epoch.
    function attest(uint64 epoch_, bytes32 root_, uint256 total, bytes32 manifest) external onlyRole(ORACLE_ROLE) whenNotPaused {
        if (epoch_ <= epoch) revert OldEpoch(epoch_);
        if (attested[epoch_][_msgSender()] != 0) revert AlreadyAttested(epoch_, _msgSender());
        if (total < owed || total - owed > capPerEpoch) revert TotalOutOfRange(total);
        bytes32 what = keccak256(abi.encode(root_, total, manifest));
        attested[epoch_][_msgSender()] = what;
        emit Attested(epoch_, _msgSender(), root_, total, manifest);
        if (attestations(epoch_, what) < threshold) return;
        (epoch, root, owed) = (epoch_, root_, total);
        roots[epoch_] = root_;
        emit RootPublished(epoch_, root_, total, manifest);
    }

    /// How many attested exactly this for the epoch, of those who are oracles now: who lost the role no longer counts.
    function attestations(uint64 epoch_, bytes32 what) public view returns (uint256 n) {
        uint256 count = getRoleMemberCount(ORACLE_ROLE);
        for (uint256 i = 0; i < count; i++) {
            if (attested[epoch_][getRoleMember(ORACLE_ROLE, i)] == what) n++;
        }
    }

    /// What the account may claim with a leaf of this cumulative amount; it says nothing of the proof.
    function claimable(address account, uint256 cumulative) external view returns (uint256) {
        return cumulative > claimed[account] ? cumulative - claimed[account] : 0;
    }

    /// Claims everything up to the cumulative amount of the caller's leaf in the current root.
    function claim(uint256 cumulative, bytes32[] calldata proof) external returns (uint256) {
        return _claim(_msgSender(), cumulative, type(uint256).max, proof);
    }

    /// Claims no more than amount.
    function claimPart(uint256 cumulative, uint256 amount, bytes32[] calldata proof) external returns (uint256) {
        return _claim(_msgSender(), cumulative, amount, proof);
    }

    /// Claims on behalf of an account that signed for it; the tokens go to the account.
    function claimFor(
        address account,
        uint256 cumulative,
        uint256 amount,
        uint256 deadline,
        bytes calldata signature,
        bytes32[] calldata proof
    ) external returns (uint256) {
        _authorize(account, cumulative, amount, deadline, signature);
        return _claim(account, cumulative, amount, proof);
    }

    function _authorize(address account, uint256 cumulative, uint256 amount, uint256 deadline, bytes calldata signature) private {
        if (block.timestamp > deadline) revert Expired();
        bytes32 claimHash = keccak256(abi.encode(CLAIM_TYPEHASH, account, cumulative, amount, nonces[account]++, deadline));
        if (!SignatureChecker.isValidSignatureNow(account, _hashTypedDataV4(claimHash), signature)) revert BadSignature();
    }

    function _claim(address account, uint256 cumulative, uint256 limit, bytes32[] calldata proof)
        private
        whenNotPaused
        returns (uint256 amount)
    {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert WrongProof();
        uint256 before = claimed[account];
        if (cumulative <= before || limit == 0) revert NothingToClaim();
        amount = cumulative - before;
        if (amount > limit) amount = limit;
        if (block.timestamp >= windowStart + window) (windowStart, windowPaid) = (block.timestamp, 0);
        // The cap may have been lowered below what the window has paid.
        uint256 left = capPerWindow > windowPaid ? capPerWindow - windowPaid : 0;
        if (amount > left) revert WindowExhausted(left);
        if (amount > owed - paid) revert MoreThanOwed(owed - paid);
        windowPaid += amount;
        claimed[account] = before + amount;
        paid += amount;
        emit Claimed(epoch, account, amount, cumulative);
        token.mint(account, amount);
    }
}
