// Code generated via abigen V2 - DO NOT EDIT.
// This file is a generated binding and any manual changes will be lost.

package rewarddistributor

import (
	"bytes"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Reference imports to suppress errors if they are not otherwise used.
var (
	_ = bytes.Equal
	_ = errors.New
	_ = big.NewInt
	_ = common.Big1
	_ = types.BloomLookup
	_ = abi.ConvertType
)

// RewardDistributorMetaData contains all meta data concerning the RewardDistributor contract.
var RewardDistributorMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[{\"internalType\":\"contractIRewardToken\",\"name\":\"token_\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"admin\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"threshold_\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"capPerEpoch_\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"capPerWindow_\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"window_\",\"type\":\"uint256\"}],\"stateMutability\":\"nonpayable\",\"type\":\"constructor\"},{\"inputs\":[],\"name\":\"AccessControlBadConfirmation\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"neededRole\",\"type\":\"bytes32\"}],\"name\":\"AccessControlUnauthorizedAccount\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint64\",\"name\":\"epoch\",\"type\":\"uint64\"},{\"internalType\":\"address\",\"name\":\"oracle\",\"type\":\"address\"}],\"name\":\"AlreadyAttested\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"BadLimits\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"BadSignature\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"EnforcedPause\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"ExpectedPause\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"Expired\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"InvalidShortString\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"left\",\"type\":\"uint256\"}],\"name\":\"MoreThanOwed\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"NothingToClaim\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint64\",\"name\":\"epoch\",\"type\":\"uint64\"}],\"name\":\"OldEpoch\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"string\",\"name\":\"str\",\"type\":\"string\"}],\"name\":\"StringTooLong\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"total\",\"type\":\"uint256\"}],\"name\":\"TotalOutOfRange\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"left\",\"type\":\"uint256\"}],\"name\":\"WindowExhausted\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"WrongProof\",\"type\":\"error\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"uint64\",\"name\":\"epoch\",\"type\":\"uint64\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"oracle\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"bytes32\",\"name\":\"root\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"total\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"bytes32\",\"name\":\"manifest\",\"type\":\"bytes32\"}],\"name\":\"Attested\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"uint64\",\"name\":\"epoch\",\"type\":\"uint64\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"cumulative\",\"type\":\"uint256\"}],\"name\":\"Claimed\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[],\"name\":\"EIP712DomainChanged\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"threshold\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"capPerEpoch\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"capPerWindow\",\"type\":\"uint256\"}],\"name\":\"LimitsChanged\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":false,\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"}],\"name\":\"Paused\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"previousAdminRole\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"newAdminRole\",\"type\":\"bytes32\"}],\"name\":\"RoleAdminChanged\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"}],\"name\":\"RoleGranted\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"}],\"name\":\"RoleRevoked\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"uint64\",\"name\":\"epoch\",\"type\":\"uint64\"},{\"indexed\":false,\"internalType\":\"bytes32\",\"name\":\"root\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"total\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"bytes32\",\"name\":\"manifest\",\"type\":\"bytes32\"}],\"name\":\"RootPublished\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":false,\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"}],\"name\":\"Unpaused\",\"type\":\"event\"},{\"inputs\":[],\"name\":\"DEFAULT_ADMIN_ROLE\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"ORACLE_ROLE\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"PAUSER_ROLE\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint64\",\"name\":\"epoch_\",\"type\":\"uint64\"},{\"internalType\":\"bytes32\",\"name\":\"root_\",\"type\":\"bytes32\"},{\"internalType\":\"uint256\",\"name\":\"total\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"manifest\",\"type\":\"bytes32\"}],\"name\":\"attest\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint64\",\"name\":\"epoch_\",\"type\":\"uint64\"},{\"internalType\":\"bytes32\",\"name\":\"what\",\"type\":\"bytes32\"}],\"name\":\"attestations\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"n\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint64\",\"name\":\"\",\"type\":\"uint64\"},{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"name\":\"attested\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"capPerEpoch\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"capPerWindow\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"cumulative\",\"type\":\"uint256\"},{\"internalType\":\"bytes32[]\",\"name\":\"proof\",\"type\":\"bytes32[]\"}],\"name\":\"claim\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"cumulative\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"deadline\",\"type\":\"uint256\"},{\"internalType\":\"bytes\",\"name\":\"signature\",\"type\":\"bytes\"},{\"internalType\":\"bytes32[]\",\"name\":\"proof\",\"type\":\"bytes32[]\"}],\"name\":\"claimFor\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"cumulative\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"bytes32[]\",\"name\":\"proof\",\"type\":\"bytes32[]\"}],\"name\":\"claimPart\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"cumulative\",\"type\":\"uint256\"}],\"name\":\"claimable\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"name\":\"claimed\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"eip712Domain\",\"outputs\":[{\"internalType\":\"bytes1\",\"name\":\"fields\",\"type\":\"bytes1\"},{\"internalType\":\"string\",\"name\":\"name\",\"type\":\"string\"},{\"internalType\":\"string\",\"name\":\"version\",\"type\":\"string\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"verifyingContract\",\"type\":\"address\"},{\"internalType\":\"bytes32\",\"name\":\"salt\",\"type\":\"bytes32\"},{\"internalType\":\"uint256[]\",\"name\":\"extensions\",\"type\":\"uint256[]\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"epoch\",\"outputs\":[{\"internalType\":\"uint64\",\"name\":\"\",\"type\":\"uint64\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"}],\"name\":\"getRoleAdmin\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"internalType\":\"uint256\",\"name\":\"index\",\"type\":\"uint256\"}],\"name\":\"getRoleMember\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"}],\"name\":\"getRoleMemberCount\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"}],\"name\":\"getRoleMembers\",\"outputs\":[{\"internalType\":\"address[]\",\"name\":\"\",\"type\":\"address[]\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"}],\"name\":\"grantRole\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"}],\"name\":\"hasRole\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"name\":\"nonces\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"owed\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"paid\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"pause\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"paused\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"callerConfirmation\",\"type\":\"address\"}],\"name\":\"renounceRole\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"role\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"}],\"name\":\"revokeRole\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"root\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint64\",\"name\":\"\",\"type\":\"uint64\"}],\"name\":\"roots\",\"outputs\":[{\"internalType\":\"bytes32\",\"name\":\"\",\"type\":\"bytes32\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"threshold_\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"capPerEpoch_\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"capPerWindow_\",\"type\":\"uint256\"}],\"name\":\"setLimits\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes4\",\"name\":\"interfaceId\",\"type\":\"bytes4\"}],\"name\":\"supportsInterface\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"threshold\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"token\",\"outputs\":[{\"internalType\":\"contractIRewardToken\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"unpause\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"window\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"}]",
	ID:  "RewardDistributor",
	Bin: "0x6101a0604052348015610010575f5ffd5b506040516121ae3803806121ae83398101604081905261002f9161037c565b6040518060400160405280601081526020016f726f6164636f6d62207265776172647360801b815250604051806040016040528060018152602001603160f81b8152506100818261017960201b60201c565b6101205261008e81610179565b61014052815160208084019190912060e052815190820120610100524660a05261011a60e05161010051604080517f8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f60208201529081019290925260608201524660808201523060a08201525f9060c00160405160208183030381529060405280519060200120905090565b60805250503060c0525f819003610144576040516301088d4f60e51b815260040160405180910390fd5b6001600160a01b038616610160526101808190526101625f866101bf565b5061016e8484846101f5565b505050505050610431565b5f5f829050601f815111156101ac578260405163305a27a960e01b81526004016101a391906103d6565b60405180910390fd5b80516101b78261040b565b179392505050565b5f806101cb848461026a565b905080156101ec575f8481526001602052604090206101ea9084610311565b505b90505b92915050565b825f03610215576040516301088d4f60e51b815260040160405180910390fd5b60078190556006829055600583905560408051848152602081018490529081018290527fcc8d22e807ea92fa44cbc984df35dfbb8351ddf6302b105e5e3cef56dbe457129060600160405180910390a1505050565b5f828152602081815260408083206001600160a01b038516845290915281205460ff1661030a575f838152602081815260408083206001600160a01b03861684529091529020805460ff191660011790556102c23390565b6001600160a01b0316826001600160a01b0316847f2f8788117e7eff1d82e926ec794901d17c78024a50270940304540a733656f0d60405160405180910390a45060016101ef565b505f6101ef565b5f6101ec836001600160a01b0384165f81815260018301602052604081205461030a57508154600181810184555f8481526020808220909301849055845484825282860190935260409020919091556101ef565b6001600160a01b0381168114610379575f5ffd5b50565b5f5f5f5f5f5f60c08789031215610391575f5ffd5b865161039c81610365565b60208801519096506103ad81610365565b6040880151606089015160808a015160a0909a0151989b929a5090989097909650945092505050565b602081525f82518060208401528060208501604085015e5f604082850101526040601f19601f83011684010191505092915050565b8051602080830151919081101561042b575f198160200360031b1b821691505b50919050565b60805160a05160c05160e0516101005161012051610140516101605161018051611d0a6104a45f395f81816103550152610cac01525f818161052c0152610e3b01525f61104101525f61101101525f61147301525f61144b01525f6113a601525f6113d001525f6113fa0152611d0a5ff3fe608060405234801561000f575f5ffd5b5060043610610213575f3560e01c806382047f2a1161011f578063bc9491c8116100a9578063d547741f11610079578063d547741f146104d1578063e63ab1e9146104e4578063ebf0c7171461050b578063edeebd0f14610514578063fc0c546a14610527575f5ffd5b8063bc9491c814610483578063c87d677914610496578063c884ef831461049f578063ca15c873146104be575f5ffd5b8063900cf0cf116100ef578063900cf0cf146103f35780639010d07c1461041e57806391d1485414610449578063a217fddf1461045c578063a3246ad314610463575f5ffd5b806382047f2a146103b45780638456cb59146103bd57806384b0196e146103c55780638fab8f85146103e0575f5ffd5b806336568abe116101a057806342cde4e81161017057806342cde4e814610347578063461645bf146103505780635c975abb1461037757806360efe334146103825780637ecebe0014610395575f5ffd5b806336568abe146102f95780633ac8939b1461030c5780633bcf0550146103155780633f4ba83a1461033f575f5ffd5b80631e3f0320116101e65780631e3f032014610289578063248a9ca3146102a8578063295b4e17146102ca5780632f2ff15d146102d35780632f52ebb7146102e6575f5ffd5b806301ffc9a71461021757806307e2cea51461023f578063139c9fa914610261578063189ae5f214610274575b5f5ffd5b61022a6102253660046117f5565b61054e565b60405190151581526020015b60405180910390f35b6102535f516020611cea5f395f51905f5281565b604051908152602001610236565b61025361026f36600461187e565b610578565b610287610282366004611945565b6105a1565b005b610253610297366004611984565b600c6020525f908152604090205481565b6102536102b636600461199d565b5f9081526020819052604090206001015490565b610253600b5481565b6102876102e13660046119b4565b6105bc565b6102536102f43660046119de565b6105e0565b6102876103073660046119b4565b6105f9565b61025360065481565b610253610323366004611a25565b600f60209081525f928352604080842090915290825290205481565b610287610631565b61025360055481565b6102537f000000000000000000000000000000000000000000000000000000000000000081565b60025460ff1661022a565b610253610390366004611a4d565b610646565b6102536103a3366004611a75565b600e6020525f908152604090205481565b61025360075481565b61028761068c565b6103cd6106be565b6040516102369796959493929190611abc565b6102536103ee366004611b52565b610700565b600854610406906001600160401b031681565b6040516001600160401b039091168152602001610236565b61043161042c366004611ba0565b610717565b6040516001600160a01b039091168152602001610236565b61022a6104573660046119b4565b61072e565b6102535f81565b61047661047136600461199d565b610756565b6040516102369190611bc0565b610287610491366004611c0b565b61076f565b610253600a5481565b6102536104ad366004611a75565b600d6020525f908152604090205481565b6102536104cc36600461199d565b610992565b6102876104df3660046119b4565b6109a8565b6102537f65d7a28e3265b37a6474929f336521b332c1681b933f6cb9f3376673440d862a81565b61025360095481565b610253610522366004611c41565b6109cc565b6104317f000000000000000000000000000000000000000000000000000000000000000081565b5f6001600160e01b03198216635a05180f60e01b1480610572575061057282610a63565b92915050565b5f610587898989898989610a97565b6105948989898686610bc8565b9998505050505050505050565b5f6105ab81610e9e565b6105b6848484610ea8565b50505050565b5f828152602081905260409020600101546105d681610e9e565b6105b68383610f1d565b5f6105ef33855f198686610bc8565b90505b9392505050565b6001600160a01b03811633146106225760405163334bd91960e11b815260040160405180910390fd5b61062c8282610f50565b505050565b5f61063b81610e9e565b610643610f7b565b50565b6001600160a01b0382165f908152600d6020526040812054821161066a575f6105f2565b6001600160a01b0383165f908152600d60205260409020546105f29083611c6f565b7f65d7a28e3265b37a6474929f336521b332c1681b933f6cb9f3376673440d862a6106b681610e9e565b610643610fcd565b5f6060805f5f5f60606106cf61100a565b6106d761103a565b604080515f80825260208201909252600f60f81b9b939a50919850469750309650945092509050565b5f61070e3386868686610bc8565b95945050505050565b5f8281526001602052604081206105f29083611065565b5f918252602082815260408084206001600160a01b0393909316845291905290205460ff1690565b5f81815260016020526040902060609061057290611070565b5f516020611cea5f395f51905f5261078681610e9e565b61078e61107c565b6008546001600160401b03908116908616116107cd5760405163e157ff4160e01b81526001600160401b03861660048201526024015b60405180910390fd5b6001600160401b0385165f908152600f602090815260408083203384529091529020541561081f5760405163d720cad560e01b81526001600160401b03861660048201523360248201526044016107c4565b600a5483108061083c5750600654600a5461083a9085611c6f565b115b1561085d57604051638bcea7ef60e01b8152600481018490526024016107c4565b604080516020808201879052818301869052606080830186905283518084039091018152608083018085528151918301919091206001600160401b038a165f818152600f8552868120338083529552959095208190559088905260a0830187905260c083018690529290917f1fc809e0deb1bef0ddca3955af003e069cd2851d36da55d5f0f3cd604d37746d9060e00160405180910390a360055461090287836109cc565b101561090e575061098b565b600a84905560098590556008805467ffffffffffffffff19166001600160401b0388169081179091555f818152600c602090815260409182902088905581518881529081018790529081018590527fe8bc8368b2991bd0ca587484a463cbf36b393679b8cd163c040b445f2d4f4e309060600160405180910390a2505b5050505050565b5f818152600160205260408120610572906110a2565b5f828152602081905260409020600101546109c281610e9e565b6105b68383610f50565b5f5f6109e45f516020611cea5f395f51905f52610992565b90505f5b81811015610a5b576001600160401b0385165f908152600f602052604081208591610a205f516020611cea5f395f51905f5285610717565b6001600160a01b03166001600160a01b031681526020019081526020015f205403610a535782610a4f81611c82565b9350505b6001016109e8565b505092915050565b5f6001600160e01b03198216637965db0b60e01b148061057257506301ffc9a760e01b6001600160e01b0319831614610572565b82421115610ab857604051630407b05b60e31b815260040160405180910390fd5b6001600160a01b0386165f908152600e6020526040812080547fe82c97b88c95203729fad9f8cb819d416363f3bb096c19ee8795f73a5443c574918991899189919086610b0483611c82565b909155506040805160208101969096526001600160a01b03909416938501939093526060840191909152608083015260a082015260c0810185905260e001604051602081830303815290604052805190602001209050610ba287610b67836110ab565b85858080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152506110d792505050565b610bbf57604051635cd5d23360e01b815260040160405180910390fd5b50505050505050565b5f610bd161107c565b604080516001600160a01b03881660208201529081018690525f9060600160408051601f1981840301815282825280516020918201209083015201604051602081830303815290604052805190602001209050610c32848460095484611147565b610c4f5760405163923983b960e01b815260040160405180910390fd5b6001600160a01b0387165f908152600d60205260409020548087111580610c74575085155b15610c92576040516312d37ee560e31b815260040160405180910390fd5b610c9c8188611c6f565b925085831115610caa578592505b7f0000000000000000000000000000000000000000000000000000000000000000601054610cd89190611c9a565b4210610ce7575f601155426010555b5f60115460075411610cf9575f610d09565b601154600754610d099190611c6f565b905080841115610d2f5760405163386b71f760e21b8152600481018290526024016107c4565b600b54600a54610d3f9190611c6f565b841115610d7257600b54600a54610d569190611c6f565b604051634d5ff60f60e01b81526004016107c491815260200190565b8360115f828254610d839190611c9a565b90915550610d9390508483611c9a565b6001600160a01b038a165f908152600d6020526040812091909155600b8054869290610dc0908490611c9a565b909155505060085460408051868152602081018b90526001600160a01b038c16926001600160401b0316917eba0e20624d3ca60bc20c3a05e2a036c6520db0972fb64eb80e2222a25fb04d910160405180910390a36040516340c10f1960e01b81526001600160a01b038a81166004830152602482018690527f000000000000000000000000000000000000000000000000000000000000000016906340c10f19906044015f604051808303815f87803b158015610e7c575f5ffd5b505af1158015610e8e573d5f5f3e3d5ffd5b5050505050505095945050505050565b610643813361115e565b825f03610ec8576040516301088d4f60e51b815260040160405180910390fd5b60078190556006829055600583905560408051848152602081018490529081018290527fcc8d22e807ea92fa44cbc984df35dfbb8351ddf6302b105e5e3cef56dbe457129060600160405180910390a1505050565b5f5f610f29848461119b565b905080156105f2575f848152600160205260409020610f48908461122a565b509392505050565b5f5f610f5c848461123e565b905080156105f2575f848152600160205260409020610f4890846112a7565b610f836112bb565b6002805460ff191690557f5db9ee0a495bf2e6ff9c91a7834c1ba4fdd244a5e8aa4e537bd38aeae4b073aa335b6040516001600160a01b03909116815260200160405180910390a1565b610fd561107c565b6002805460ff191660011790557f62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a258610fb03390565b60606110357f00000000000000000000000000000000000000000000000000000000000000006112de565b905090565b60606110357f00000000000000000000000000000000000000000000000000000000000000006112de565b5f6105f2838361131b565b60605f6105f283611341565b60025460ff16156110a05760405163d93c066560e01b815260040160405180910390fd5b565b5f610572825490565b5f6105726110b761139a565b8360405161190160f01b8152600281019290925260228201526042902090565b5f836001600160a01b03163b5f03611135575f5f6110f585856114c3565b5090925090505f81600381111561110e5761110e611cad565b14801561112c5750856001600160a01b0316826001600160a01b0316145b925050506105f2565b61114084848461150c565b90506105f2565b5f82611154868685611571565b1495945050505050565b611168828261072e565b6111975760405163e2517d3f60e01b81526001600160a01b0382166004820152602481018390526044016107c4565b5050565b5f6111a6838361072e565b611223575f838152602081815260408083206001600160a01b03861684529091529020805460ff191660011790556111db3390565b6001600160a01b0316826001600160a01b0316847f2f8788117e7eff1d82e926ec794901d17c78024a50270940304540a733656f0d60405160405180910390a4506001610572565b505f610572565b5f6105f2836001600160a01b0384166115b2565b5f611249838361072e565b15611223575f838152602081815260408083206001600160a01b0386168085529252808320805460ff1916905551339286917ff6391f5c32d9c69d2a47ea670b442974b53935d1edc7fd64eb21e047a839171b9190a4506001610572565b5f6105f2836001600160a01b0384166115f7565b60025460ff166110a057604051638dfc202b60e01b815260040160405180910390fd5b60605f6112ea836116da565b6040805160208082528183019092529192505f91906020820181803683375050509182525060208101929092525090565b5f825f01828154811061133057611330611cc1565b905f5260205f200154905092915050565b6060815f0180548060200260200160405190810160405280929190818152602001828054801561138e57602002820191905f5260205f20905b81548152602001906001019080831161137a575b50505050509050919050565b5f306001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161480156113f257507f000000000000000000000000000000000000000000000000000000000000000046145b1561141c57507f000000000000000000000000000000000000000000000000000000000000000090565b611035604080517f8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f60208201527f0000000000000000000000000000000000000000000000000000000000000000918101919091527f000000000000000000000000000000000000000000000000000000000000000060608201524660808201523060a08201525f9060c00160405160208183030381529060405280519060200120905090565b5f5f5f83516041036114fa576020840151604085015160608601515f1a6114ec88828585611701565b955095509550505050611505565b505081515f91506002905b9250925092565b805160408051630b135d3f60e11b8082526004820186905260248201929092525f92906020820185604483015e5f82606483010152601f820160051c60051b915060205f60648401838a5afa9050825f5114601f3d1116811693505050509392505050565b5f81815b848110156115a95761159f8287878481811061159357611593611cc1565b905060200201356117c9565b9150600101611575565b50949350505050565b5f81815260018301602052604081205461122357508154600181810184555f848152602080822090930184905584548482528286019093526040902091909155610572565b5f81815260018301602052604081205480156116d1575f611619600183611c6f565b85549091505f9061162c90600190611c6f565b905080821461168b575f865f01828154811061164a5761164a611cc1565b905f5260205f200154905080875f01848154811061166a5761166a611cc1565b5f918252602080832090910192909255918252600188019052604090208390555b855486908061169c5761169c611cd5565b600190038181905f5260205f20015f90559055856001015f8681526020019081526020015f205f905560019350505050610572565b5f915050610572565b5f60ff8216601f81111561057257604051632cd44ac360e21b815260040160405180910390fd5b5f80807f7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a084111561173a57505f915060039050826117bf565b604080515f808252602082018084528a905260ff891692820192909252606081018790526080810186905260019060a0016020604051602081039080840390855afa15801561178b573d5f5f3e3d5ffd5b5050604051601f1901519150506001600160a01b0381166117b657505f9250600191508290506117bf565b92505f91508190505b9450945094915050565b5f8183106117e3575f8281526020849052604090206105f2565b5f8381526020839052604090206105f2565b5f60208284031215611805575f5ffd5b81356001600160e01b0319811681146105f2575f5ffd5b80356001600160a01b0381168114611832575f5ffd5b919050565b5f5f83601f840112611847575f5ffd5b5081356001600160401b0381111561185d575f5ffd5b6020830191508360208260051b8501011115611877575f5ffd5b9250929050565b5f5f5f5f5f5f5f5f60c0898b031215611895575f5ffd5b61189e8961181c565b975060208901359650604089013595506060890135945060808901356001600160401b038111156118cd575f5ffd5b8901601f81018b136118dd575f5ffd5b80356001600160401b038111156118f2575f5ffd5b8b6020828401011115611903575f5ffd5b6020919091019450925060a08901356001600160401b03811115611925575f5ffd5b6119318b828c01611837565b999c989b5096995094979396929594505050565b5f5f5f60608486031215611957575f5ffd5b505081359360208301359350604090920135919050565b80356001600160401b0381168114611832575f5ffd5b5f60208284031215611994575f5ffd5b6105f28261196e565b5f602082840312156119ad575f5ffd5b5035919050565b5f5f604083850312156119c5575f5ffd5b823591506119d56020840161181c565b90509250929050565b5f5f5f604084860312156119f0575f5ffd5b8335925060208401356001600160401b03811115611a0c575f5ffd5b611a1886828701611837565b9497909650939450505050565b5f5f60408385031215611a36575f5ffd5b611a3f8361196e565b91506119d56020840161181c565b5f5f60408385031215611a5e575f5ffd5b611a678361181c565b946020939093013593505050565b5f60208284031215611a85575f5ffd5b6105f28261181c565b5f81518084528060208401602086015e5f602082860101526020601f19601f83011685010191505092915050565b60ff60f81b8816815260e060208201525f611ada60e0830189611a8e565b8281036040840152611aec8189611a8e565b606084018890526001600160a01b038716608085015260a0840186905283810360c0850152845180825260208087019350909101905f5b81811015611b41578351835260209384019390920191600101611b23565b50909b9a5050505050505050505050565b5f5f5f5f60608587031215611b65575f5ffd5b843593506020850135925060408501356001600160401b03811115611b88575f5ffd5b611b9487828801611837565b95989497509550505050565b5f5f60408385031215611bb1575f5ffd5b50508035926020909101359150565b602080825282518282018190525f918401906040840190835b81811015611c005783516001600160a01b0316835260209384019390920191600101611bd9565b509095945050505050565b5f5f5f5f60808587031215611c1e575f5ffd5b611c278561196e565b966020860135965060408601359560600135945092505050565b5f5f60408385031215611c52575f5ffd5b611a678361196e565b634e487b7160e01b5f52601160045260245ffd5b8181038181111561057257610572611c5b565b5f60018201611c9357611c93611c5b565b5060010190565b8082018082111561057257610572611c5b565b634e487b7160e01b5f52602160045260245ffd5b634e487b7160e01b5f52603260045260245ffd5b634e487b7160e01b5f52603160045260245ffdfe68e79a7bf1e0bc45d0a330c573bc367f9cf464fd326078812f301165fbda4ef1",
}

// RewardDistributor is an auto generated Go binding around an Ethereum contract.
type RewardDistributor struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *RewardDistributor) GetABI() abi.ABI {
	return c.abi
}

// NewRewardDistributor creates a new instance of RewardDistributor.
func NewRewardDistributor() *RewardDistributor {
	parsed, err := RewardDistributorMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &RewardDistributor{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *RewardDistributor) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackConstructor is the Go binding used to pack the parameters required for
// contract deployment.
//
// Solidity: constructor(address token_, address admin, uint256 threshold_, uint256 capPerEpoch_, uint256 capPerWindow_, uint256 window_) returns()
func (rewardDistributor *RewardDistributor) PackConstructor(token_ common.Address, admin common.Address, threshold_ *big.Int, capPerEpoch_ *big.Int, capPerWindow_ *big.Int, window_ *big.Int) []byte {
	enc, err := rewardDistributor.abi.Pack("", token_, admin, threshold_, capPerEpoch_, capPerWindow_, window_)
	if err != nil {
		panic(err)
	}
	return enc
}

// PackDEFAULTADMINROLE is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa217fddf.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function DEFAULT_ADMIN_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) PackDEFAULTADMINROLE() []byte {
	enc, err := rewardDistributor.abi.Pack("DEFAULT_ADMIN_ROLE")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDEFAULTADMINROLE is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa217fddf.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function DEFAULT_ADMIN_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) TryPackDEFAULTADMINROLE() ([]byte, error) {
	return rewardDistributor.abi.Pack("DEFAULT_ADMIN_ROLE")
}

// UnpackDEFAULTADMINROLE is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa217fddf.
//
// Solidity: function DEFAULT_ADMIN_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) UnpackDEFAULTADMINROLE(data []byte) ([32]byte, error) {
	out, err := rewardDistributor.abi.Unpack("DEFAULT_ADMIN_ROLE", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackORACLEROLE is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x07e2cea5.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function ORACLE_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) PackORACLEROLE() []byte {
	enc, err := rewardDistributor.abi.Pack("ORACLE_ROLE")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackORACLEROLE is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x07e2cea5.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function ORACLE_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) TryPackORACLEROLE() ([]byte, error) {
	return rewardDistributor.abi.Pack("ORACLE_ROLE")
}

// UnpackORACLEROLE is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x07e2cea5.
//
// Solidity: function ORACLE_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) UnpackORACLEROLE(data []byte) ([32]byte, error) {
	out, err := rewardDistributor.abi.Unpack("ORACLE_ROLE", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackPAUSERROLE is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe63ab1e9.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function PAUSER_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) PackPAUSERROLE() []byte {
	enc, err := rewardDistributor.abi.Pack("PAUSER_ROLE")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPAUSERROLE is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe63ab1e9.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function PAUSER_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) TryPackPAUSERROLE() ([]byte, error) {
	return rewardDistributor.abi.Pack("PAUSER_ROLE")
}

// UnpackPAUSERROLE is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xe63ab1e9.
//
// Solidity: function PAUSER_ROLE() view returns(bytes32)
func (rewardDistributor *RewardDistributor) UnpackPAUSERROLE(data []byte) ([32]byte, error) {
	out, err := rewardDistributor.abi.Unpack("PAUSER_ROLE", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackAttest is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xbc9491c8.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function attest(uint64 epoch_, bytes32 root_, uint256 total, bytes32 manifest) returns()
func (rewardDistributor *RewardDistributor) PackAttest(epoch uint64, root [32]byte, total *big.Int, manifest [32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("attest", epoch, root, total, manifest)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAttest is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xbc9491c8.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function attest(uint64 epoch_, bytes32 root_, uint256 total, bytes32 manifest) returns()
func (rewardDistributor *RewardDistributor) TryPackAttest(epoch uint64, root [32]byte, total *big.Int, manifest [32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("attest", epoch, root, total, manifest)
}

// PackAttestations is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xedeebd0f.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function attestations(uint64 epoch_, bytes32 what) view returns(uint256 n)
func (rewardDistributor *RewardDistributor) PackAttestations(epoch uint64, what [32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("attestations", epoch, what)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAttestations is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xedeebd0f.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function attestations(uint64 epoch_, bytes32 what) view returns(uint256 n)
func (rewardDistributor *RewardDistributor) TryPackAttestations(epoch uint64, what [32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("attestations", epoch, what)
}

// UnpackAttestations is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xedeebd0f.
//
// Solidity: function attestations(uint64 epoch_, bytes32 what) view returns(uint256 n)
func (rewardDistributor *RewardDistributor) UnpackAttestations(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("attestations", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackAttested is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3bcf0550.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function attested(uint64 , address ) view returns(bytes32)
func (rewardDistributor *RewardDistributor) PackAttested(arg0 uint64, arg1 common.Address) []byte {
	enc, err := rewardDistributor.abi.Pack("attested", arg0, arg1)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAttested is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3bcf0550.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function attested(uint64 , address ) view returns(bytes32)
func (rewardDistributor *RewardDistributor) TryPackAttested(arg0 uint64, arg1 common.Address) ([]byte, error) {
	return rewardDistributor.abi.Pack("attested", arg0, arg1)
}

// UnpackAttested is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x3bcf0550.
//
// Solidity: function attested(uint64 , address ) view returns(bytes32)
func (rewardDistributor *RewardDistributor) UnpackAttested(data []byte) ([32]byte, error) {
	out, err := rewardDistributor.abi.Unpack("attested", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackCapPerEpoch is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3ac8939b.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function capPerEpoch() view returns(uint256)
func (rewardDistributor *RewardDistributor) PackCapPerEpoch() []byte {
	enc, err := rewardDistributor.abi.Pack("capPerEpoch")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCapPerEpoch is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3ac8939b.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function capPerEpoch() view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackCapPerEpoch() ([]byte, error) {
	return rewardDistributor.abi.Pack("capPerEpoch")
}

// UnpackCapPerEpoch is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x3ac8939b.
//
// Solidity: function capPerEpoch() view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackCapPerEpoch(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("capPerEpoch", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackCapPerWindow is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x82047f2a.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function capPerWindow() view returns(uint256)
func (rewardDistributor *RewardDistributor) PackCapPerWindow() []byte {
	enc, err := rewardDistributor.abi.Pack("capPerWindow")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCapPerWindow is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x82047f2a.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function capPerWindow() view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackCapPerWindow() ([]byte, error) {
	return rewardDistributor.abi.Pack("capPerWindow")
}

// UnpackCapPerWindow is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x82047f2a.
//
// Solidity: function capPerWindow() view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackCapPerWindow(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("capPerWindow", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackClaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2f52ebb7.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function claim(uint256 cumulative, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) PackClaim(cumulative *big.Int, proof [][32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("claim", cumulative, proof)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackClaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2f52ebb7.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function claim(uint256 cumulative, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackClaim(cumulative *big.Int, proof [][32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("claim", cumulative, proof)
}

// UnpackClaim is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x2f52ebb7.
//
// Solidity: function claim(uint256 cumulative, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackClaim(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("claim", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackClaimFor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x139c9fa9.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function claimFor(address account, uint256 cumulative, uint256 amount, uint256 deadline, bytes signature, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) PackClaimFor(account common.Address, cumulative *big.Int, amount *big.Int, deadline *big.Int, signature []byte, proof [][32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("claimFor", account, cumulative, amount, deadline, signature, proof)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackClaimFor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x139c9fa9.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function claimFor(address account, uint256 cumulative, uint256 amount, uint256 deadline, bytes signature, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackClaimFor(account common.Address, cumulative *big.Int, amount *big.Int, deadline *big.Int, signature []byte, proof [][32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("claimFor", account, cumulative, amount, deadline, signature, proof)
}

// UnpackClaimFor is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x139c9fa9.
//
// Solidity: function claimFor(address account, uint256 cumulative, uint256 amount, uint256 deadline, bytes signature, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackClaimFor(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("claimFor", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackClaimPart is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8fab8f85.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function claimPart(uint256 cumulative, uint256 amount, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) PackClaimPart(cumulative *big.Int, amount *big.Int, proof [][32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("claimPart", cumulative, amount, proof)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackClaimPart is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8fab8f85.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function claimPart(uint256 cumulative, uint256 amount, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackClaimPart(cumulative *big.Int, amount *big.Int, proof [][32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("claimPart", cumulative, amount, proof)
}

// UnpackClaimPart is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x8fab8f85.
//
// Solidity: function claimPart(uint256 cumulative, uint256 amount, bytes32[] proof) returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackClaimPart(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("claimPart", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackClaimable is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x60efe334.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function claimable(address account, uint256 cumulative) view returns(uint256)
func (rewardDistributor *RewardDistributor) PackClaimable(account common.Address, cumulative *big.Int) []byte {
	enc, err := rewardDistributor.abi.Pack("claimable", account, cumulative)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackClaimable is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x60efe334.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function claimable(address account, uint256 cumulative) view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackClaimable(account common.Address, cumulative *big.Int) ([]byte, error) {
	return rewardDistributor.abi.Pack("claimable", account, cumulative)
}

// UnpackClaimable is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x60efe334.
//
// Solidity: function claimable(address account, uint256 cumulative) view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackClaimable(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("claimable", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackClaimed is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc884ef83.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function claimed(address ) view returns(uint256)
func (rewardDistributor *RewardDistributor) PackClaimed(arg0 common.Address) []byte {
	enc, err := rewardDistributor.abi.Pack("claimed", arg0)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackClaimed is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc884ef83.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function claimed(address ) view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackClaimed(arg0 common.Address) ([]byte, error) {
	return rewardDistributor.abi.Pack("claimed", arg0)
}

// UnpackClaimed is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xc884ef83.
//
// Solidity: function claimed(address ) view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackClaimed(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("claimed", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackEip712Domain is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x84b0196e.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function eip712Domain() view returns(bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)
func (rewardDistributor *RewardDistributor) PackEip712Domain() []byte {
	enc, err := rewardDistributor.abi.Pack("eip712Domain")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackEip712Domain is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x84b0196e.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function eip712Domain() view returns(bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)
func (rewardDistributor *RewardDistributor) TryPackEip712Domain() ([]byte, error) {
	return rewardDistributor.abi.Pack("eip712Domain")
}

// Eip712DomainOutput serves as a container for the return parameters of contract
// method Eip712Domain.
type Eip712DomainOutput struct {
	Fields            [1]byte
	Name              string
	Version           string
	ChainId           *big.Int
	VerifyingContract common.Address
	Salt              [32]byte
	Extensions        []*big.Int
}

// UnpackEip712Domain is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x84b0196e.
//
// Solidity: function eip712Domain() view returns(bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)
func (rewardDistributor *RewardDistributor) UnpackEip712Domain(data []byte) (Eip712DomainOutput, error) {
	out, err := rewardDistributor.abi.Unpack("eip712Domain", data)
	outstruct := new(Eip712DomainOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.Fields = *abi.ConvertType(out[0], new([1]byte)).(*[1]byte)
	outstruct.Name = *abi.ConvertType(out[1], new(string)).(*string)
	outstruct.Version = *abi.ConvertType(out[2], new(string)).(*string)
	outstruct.ChainId = abi.ConvertType(out[3], new(big.Int)).(*big.Int)
	outstruct.VerifyingContract = *abi.ConvertType(out[4], new(common.Address)).(*common.Address)
	outstruct.Salt = *abi.ConvertType(out[5], new([32]byte)).(*[32]byte)
	outstruct.Extensions = *abi.ConvertType(out[6], new([]*big.Int)).(*[]*big.Int)
	return *outstruct, nil
}

// PackEpoch is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x900cf0cf.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function epoch() view returns(uint64)
func (rewardDistributor *RewardDistributor) PackEpoch() []byte {
	enc, err := rewardDistributor.abi.Pack("epoch")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackEpoch is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x900cf0cf.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function epoch() view returns(uint64)
func (rewardDistributor *RewardDistributor) TryPackEpoch() ([]byte, error) {
	return rewardDistributor.abi.Pack("epoch")
}

// UnpackEpoch is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x900cf0cf.
//
// Solidity: function epoch() view returns(uint64)
func (rewardDistributor *RewardDistributor) UnpackEpoch(data []byte) (uint64, error) {
	out, err := rewardDistributor.abi.Unpack("epoch", data)
	if err != nil {
		return *new(uint64), err
	}
	out0 := *abi.ConvertType(out[0], new(uint64)).(*uint64)
	return out0, nil
}

// PackGetRoleAdmin is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x248a9ca3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function getRoleAdmin(bytes32 role) view returns(bytes32)
func (rewardDistributor *RewardDistributor) PackGetRoleAdmin(role [32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("getRoleAdmin", role)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackGetRoleAdmin is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x248a9ca3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function getRoleAdmin(bytes32 role) view returns(bytes32)
func (rewardDistributor *RewardDistributor) TryPackGetRoleAdmin(role [32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("getRoleAdmin", role)
}

// UnpackGetRoleAdmin is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x248a9ca3.
//
// Solidity: function getRoleAdmin(bytes32 role) view returns(bytes32)
func (rewardDistributor *RewardDistributor) UnpackGetRoleAdmin(data []byte) ([32]byte, error) {
	out, err := rewardDistributor.abi.Unpack("getRoleAdmin", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackGetRoleMember is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x9010d07c.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function getRoleMember(bytes32 role, uint256 index) view returns(address)
func (rewardDistributor *RewardDistributor) PackGetRoleMember(role [32]byte, index *big.Int) []byte {
	enc, err := rewardDistributor.abi.Pack("getRoleMember", role, index)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackGetRoleMember is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x9010d07c.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function getRoleMember(bytes32 role, uint256 index) view returns(address)
func (rewardDistributor *RewardDistributor) TryPackGetRoleMember(role [32]byte, index *big.Int) ([]byte, error) {
	return rewardDistributor.abi.Pack("getRoleMember", role, index)
}

// UnpackGetRoleMember is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x9010d07c.
//
// Solidity: function getRoleMember(bytes32 role, uint256 index) view returns(address)
func (rewardDistributor *RewardDistributor) UnpackGetRoleMember(data []byte) (common.Address, error) {
	out, err := rewardDistributor.abi.Unpack("getRoleMember", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackGetRoleMemberCount is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xca15c873.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function getRoleMemberCount(bytes32 role) view returns(uint256)
func (rewardDistributor *RewardDistributor) PackGetRoleMemberCount(role [32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("getRoleMemberCount", role)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackGetRoleMemberCount is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xca15c873.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function getRoleMemberCount(bytes32 role) view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackGetRoleMemberCount(role [32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("getRoleMemberCount", role)
}

// UnpackGetRoleMemberCount is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xca15c873.
//
// Solidity: function getRoleMemberCount(bytes32 role) view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackGetRoleMemberCount(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("getRoleMemberCount", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackGetRoleMembers is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa3246ad3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function getRoleMembers(bytes32 role) view returns(address[])
func (rewardDistributor *RewardDistributor) PackGetRoleMembers(role [32]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("getRoleMembers", role)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackGetRoleMembers is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa3246ad3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function getRoleMembers(bytes32 role) view returns(address[])
func (rewardDistributor *RewardDistributor) TryPackGetRoleMembers(role [32]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("getRoleMembers", role)
}

// UnpackGetRoleMembers is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa3246ad3.
//
// Solidity: function getRoleMembers(bytes32 role) view returns(address[])
func (rewardDistributor *RewardDistributor) UnpackGetRoleMembers(data []byte) ([]common.Address, error) {
	out, err := rewardDistributor.abi.Unpack("getRoleMembers", data)
	if err != nil {
		return *new([]common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new([]common.Address)).(*[]common.Address)
	return out0, nil
}

// PackGrantRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2f2ff15d.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function grantRole(bytes32 role, address account) returns()
func (rewardDistributor *RewardDistributor) PackGrantRole(role [32]byte, account common.Address) []byte {
	enc, err := rewardDistributor.abi.Pack("grantRole", role, account)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackGrantRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2f2ff15d.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function grantRole(bytes32 role, address account) returns()
func (rewardDistributor *RewardDistributor) TryPackGrantRole(role [32]byte, account common.Address) ([]byte, error) {
	return rewardDistributor.abi.Pack("grantRole", role, account)
}

// PackHasRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x91d14854.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function hasRole(bytes32 role, address account) view returns(bool)
func (rewardDistributor *RewardDistributor) PackHasRole(role [32]byte, account common.Address) []byte {
	enc, err := rewardDistributor.abi.Pack("hasRole", role, account)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackHasRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x91d14854.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function hasRole(bytes32 role, address account) view returns(bool)
func (rewardDistributor *RewardDistributor) TryPackHasRole(role [32]byte, account common.Address) ([]byte, error) {
	return rewardDistributor.abi.Pack("hasRole", role, account)
}

// UnpackHasRole is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x91d14854.
//
// Solidity: function hasRole(bytes32 role, address account) view returns(bool)
func (rewardDistributor *RewardDistributor) UnpackHasRole(data []byte) (bool, error) {
	out, err := rewardDistributor.abi.Unpack("hasRole", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackNonces is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7ecebe00.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function nonces(address ) view returns(uint256)
func (rewardDistributor *RewardDistributor) PackNonces(arg0 common.Address) []byte {
	enc, err := rewardDistributor.abi.Pack("nonces", arg0)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackNonces is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7ecebe00.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function nonces(address ) view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackNonces(arg0 common.Address) ([]byte, error) {
	return rewardDistributor.abi.Pack("nonces", arg0)
}

// UnpackNonces is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x7ecebe00.
//
// Solidity: function nonces(address ) view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackNonces(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("nonces", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackOwed is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc87d6779.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function owed() view returns(uint256)
func (rewardDistributor *RewardDistributor) PackOwed() []byte {
	enc, err := rewardDistributor.abi.Pack("owed")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackOwed is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc87d6779.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function owed() view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackOwed() ([]byte, error) {
	return rewardDistributor.abi.Pack("owed")
}

// UnpackOwed is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xc87d6779.
//
// Solidity: function owed() view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackOwed(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("owed", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackPaid is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x295b4e17.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function paid() view returns(uint256)
func (rewardDistributor *RewardDistributor) PackPaid() []byte {
	enc, err := rewardDistributor.abi.Pack("paid")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPaid is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x295b4e17.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function paid() view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackPaid() ([]byte, error) {
	return rewardDistributor.abi.Pack("paid")
}

// UnpackPaid is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x295b4e17.
//
// Solidity: function paid() view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackPaid(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("paid", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackPause is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8456cb59.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function pause() returns()
func (rewardDistributor *RewardDistributor) PackPause() []byte {
	enc, err := rewardDistributor.abi.Pack("pause")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPause is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8456cb59.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function pause() returns()
func (rewardDistributor *RewardDistributor) TryPackPause() ([]byte, error) {
	return rewardDistributor.abi.Pack("pause")
}

// PackPaused is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5c975abb.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function paused() view returns(bool)
func (rewardDistributor *RewardDistributor) PackPaused() []byte {
	enc, err := rewardDistributor.abi.Pack("paused")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPaused is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5c975abb.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function paused() view returns(bool)
func (rewardDistributor *RewardDistributor) TryPackPaused() ([]byte, error) {
	return rewardDistributor.abi.Pack("paused")
}

// UnpackPaused is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x5c975abb.
//
// Solidity: function paused() view returns(bool)
func (rewardDistributor *RewardDistributor) UnpackPaused(data []byte) (bool, error) {
	out, err := rewardDistributor.abi.Unpack("paused", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackRenounceRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x36568abe.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function renounceRole(bytes32 role, address callerConfirmation) returns()
func (rewardDistributor *RewardDistributor) PackRenounceRole(role [32]byte, callerConfirmation common.Address) []byte {
	enc, err := rewardDistributor.abi.Pack("renounceRole", role, callerConfirmation)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRenounceRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x36568abe.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function renounceRole(bytes32 role, address callerConfirmation) returns()
func (rewardDistributor *RewardDistributor) TryPackRenounceRole(role [32]byte, callerConfirmation common.Address) ([]byte, error) {
	return rewardDistributor.abi.Pack("renounceRole", role, callerConfirmation)
}

// PackRevokeRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd547741f.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function revokeRole(bytes32 role, address account) returns()
func (rewardDistributor *RewardDistributor) PackRevokeRole(role [32]byte, account common.Address) []byte {
	enc, err := rewardDistributor.abi.Pack("revokeRole", role, account)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRevokeRole is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd547741f.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function revokeRole(bytes32 role, address account) returns()
func (rewardDistributor *RewardDistributor) TryPackRevokeRole(role [32]byte, account common.Address) ([]byte, error) {
	return rewardDistributor.abi.Pack("revokeRole", role, account)
}

// PackRoot is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xebf0c717.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function root() view returns(bytes32)
func (rewardDistributor *RewardDistributor) PackRoot() []byte {
	enc, err := rewardDistributor.abi.Pack("root")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRoot is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xebf0c717.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function root() view returns(bytes32)
func (rewardDistributor *RewardDistributor) TryPackRoot() ([]byte, error) {
	return rewardDistributor.abi.Pack("root")
}

// UnpackRoot is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xebf0c717.
//
// Solidity: function root() view returns(bytes32)
func (rewardDistributor *RewardDistributor) UnpackRoot(data []byte) ([32]byte, error) {
	out, err := rewardDistributor.abi.Unpack("root", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackRoots is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1e3f0320.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function roots(uint64 ) view returns(bytes32)
func (rewardDistributor *RewardDistributor) PackRoots(arg0 uint64) []byte {
	enc, err := rewardDistributor.abi.Pack("roots", arg0)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRoots is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1e3f0320.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function roots(uint64 ) view returns(bytes32)
func (rewardDistributor *RewardDistributor) TryPackRoots(arg0 uint64) ([]byte, error) {
	return rewardDistributor.abi.Pack("roots", arg0)
}

// UnpackRoots is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x1e3f0320.
//
// Solidity: function roots(uint64 ) view returns(bytes32)
func (rewardDistributor *RewardDistributor) UnpackRoots(data []byte) ([32]byte, error) {
	out, err := rewardDistributor.abi.Unpack("roots", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackSetLimits is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x189ae5f2.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setLimits(uint256 threshold_, uint256 capPerEpoch_, uint256 capPerWindow_) returns()
func (rewardDistributor *RewardDistributor) PackSetLimits(threshold *big.Int, capPerEpoch *big.Int, capPerWindow *big.Int) []byte {
	enc, err := rewardDistributor.abi.Pack("setLimits", threshold, capPerEpoch, capPerWindow)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetLimits is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x189ae5f2.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setLimits(uint256 threshold_, uint256 capPerEpoch_, uint256 capPerWindow_) returns()
func (rewardDistributor *RewardDistributor) TryPackSetLimits(threshold *big.Int, capPerEpoch *big.Int, capPerWindow *big.Int) ([]byte, error) {
	return rewardDistributor.abi.Pack("setLimits", threshold, capPerEpoch, capPerWindow)
}

// PackSupportsInterface is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x01ffc9a7.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function supportsInterface(bytes4 interfaceId) view returns(bool)
func (rewardDistributor *RewardDistributor) PackSupportsInterface(interfaceId [4]byte) []byte {
	enc, err := rewardDistributor.abi.Pack("supportsInterface", interfaceId)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSupportsInterface is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x01ffc9a7.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function supportsInterface(bytes4 interfaceId) view returns(bool)
func (rewardDistributor *RewardDistributor) TryPackSupportsInterface(interfaceId [4]byte) ([]byte, error) {
	return rewardDistributor.abi.Pack("supportsInterface", interfaceId)
}

// UnpackSupportsInterface is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x01ffc9a7.
//
// Solidity: function supportsInterface(bytes4 interfaceId) view returns(bool)
func (rewardDistributor *RewardDistributor) UnpackSupportsInterface(data []byte) (bool, error) {
	out, err := rewardDistributor.abi.Unpack("supportsInterface", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackThreshold is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x42cde4e8.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function threshold() view returns(uint256)
func (rewardDistributor *RewardDistributor) PackThreshold() []byte {
	enc, err := rewardDistributor.abi.Pack("threshold")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackThreshold is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x42cde4e8.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function threshold() view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackThreshold() ([]byte, error) {
	return rewardDistributor.abi.Pack("threshold")
}

// UnpackThreshold is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x42cde4e8.
//
// Solidity: function threshold() view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackThreshold(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("threshold", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackToken is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xfc0c546a.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function token() view returns(address)
func (rewardDistributor *RewardDistributor) PackToken() []byte {
	enc, err := rewardDistributor.abi.Pack("token")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackToken is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xfc0c546a.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function token() view returns(address)
func (rewardDistributor *RewardDistributor) TryPackToken() ([]byte, error) {
	return rewardDistributor.abi.Pack("token")
}

// UnpackToken is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xfc0c546a.
//
// Solidity: function token() view returns(address)
func (rewardDistributor *RewardDistributor) UnpackToken(data []byte) (common.Address, error) {
	out, err := rewardDistributor.abi.Unpack("token", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackUnpause is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3f4ba83a.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function unpause() returns()
func (rewardDistributor *RewardDistributor) PackUnpause() []byte {
	enc, err := rewardDistributor.abi.Pack("unpause")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackUnpause is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3f4ba83a.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function unpause() returns()
func (rewardDistributor *RewardDistributor) TryPackUnpause() ([]byte, error) {
	return rewardDistributor.abi.Pack("unpause")
}

// PackWindow is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x461645bf.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function window() view returns(uint256)
func (rewardDistributor *RewardDistributor) PackWindow() []byte {
	enc, err := rewardDistributor.abi.Pack("window")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackWindow is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x461645bf.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function window() view returns(uint256)
func (rewardDistributor *RewardDistributor) TryPackWindow() ([]byte, error) {
	return rewardDistributor.abi.Pack("window")
}

// UnpackWindow is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x461645bf.
//
// Solidity: function window() view returns(uint256)
func (rewardDistributor *RewardDistributor) UnpackWindow(data []byte) (*big.Int, error) {
	out, err := rewardDistributor.abi.Unpack("window", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// RewardDistributorAttested represents a Attested event raised by the RewardDistributor contract.
type RewardDistributorAttested struct {
	Epoch    uint64
	Oracle   common.Address
	Root     [32]byte
	Total    *big.Int
	Manifest [32]byte
	Raw      *types.Log // Blockchain specific contextual infos
}

const RewardDistributorAttestedEventName = "Attested"

// ContractEventName returns the user-defined event name.
func (RewardDistributorAttested) ContractEventName() string {
	return RewardDistributorAttestedEventName
}

// UnpackAttestedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Attested(uint64 indexed epoch, address indexed oracle, bytes32 root, uint256 total, bytes32 manifest)
func (rewardDistributor *RewardDistributor) UnpackAttestedEvent(log *types.Log) (*RewardDistributorAttested, error) {
	event := "Attested"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorAttested)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorClaimed represents a Claimed event raised by the RewardDistributor contract.
type RewardDistributorClaimed struct {
	Epoch      uint64
	Account    common.Address
	Amount     *big.Int
	Cumulative *big.Int
	Raw        *types.Log // Blockchain specific contextual infos
}

const RewardDistributorClaimedEventName = "Claimed"

// ContractEventName returns the user-defined event name.
func (RewardDistributorClaimed) ContractEventName() string {
	return RewardDistributorClaimedEventName
}

// UnpackClaimedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Claimed(uint64 indexed epoch, address indexed account, uint256 amount, uint256 cumulative)
func (rewardDistributor *RewardDistributor) UnpackClaimedEvent(log *types.Log) (*RewardDistributorClaimed, error) {
	event := "Claimed"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorClaimed)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorEIP712DomainChanged represents a EIP712DomainChanged event raised by the RewardDistributor contract.
type RewardDistributorEIP712DomainChanged struct {
	Raw *types.Log // Blockchain specific contextual infos
}

const RewardDistributorEIP712DomainChangedEventName = "EIP712DomainChanged"

// ContractEventName returns the user-defined event name.
func (RewardDistributorEIP712DomainChanged) ContractEventName() string {
	return RewardDistributorEIP712DomainChangedEventName
}

// UnpackEIP712DomainChangedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event EIP712DomainChanged()
func (rewardDistributor *RewardDistributor) UnpackEIP712DomainChangedEvent(log *types.Log) (*RewardDistributorEIP712DomainChanged, error) {
	event := "EIP712DomainChanged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorEIP712DomainChanged)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorLimitsChanged represents a LimitsChanged event raised by the RewardDistributor contract.
type RewardDistributorLimitsChanged struct {
	Threshold    *big.Int
	CapPerEpoch  *big.Int
	CapPerWindow *big.Int
	Raw          *types.Log // Blockchain specific contextual infos
}

const RewardDistributorLimitsChangedEventName = "LimitsChanged"

// ContractEventName returns the user-defined event name.
func (RewardDistributorLimitsChanged) ContractEventName() string {
	return RewardDistributorLimitsChangedEventName
}

// UnpackLimitsChangedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event LimitsChanged(uint256 threshold, uint256 capPerEpoch, uint256 capPerWindow)
func (rewardDistributor *RewardDistributor) UnpackLimitsChangedEvent(log *types.Log) (*RewardDistributorLimitsChanged, error) {
	event := "LimitsChanged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorLimitsChanged)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorPaused represents a Paused event raised by the RewardDistributor contract.
type RewardDistributorPaused struct {
	Account common.Address
	Raw     *types.Log // Blockchain specific contextual infos
}

const RewardDistributorPausedEventName = "Paused"

// ContractEventName returns the user-defined event name.
func (RewardDistributorPaused) ContractEventName() string {
	return RewardDistributorPausedEventName
}

// UnpackPausedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Paused(address account)
func (rewardDistributor *RewardDistributor) UnpackPausedEvent(log *types.Log) (*RewardDistributorPaused, error) {
	event := "Paused"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorPaused)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorRoleAdminChanged represents a RoleAdminChanged event raised by the RewardDistributor contract.
type RewardDistributorRoleAdminChanged struct {
	Role              [32]byte
	PreviousAdminRole [32]byte
	NewAdminRole      [32]byte
	Raw               *types.Log // Blockchain specific contextual infos
}

const RewardDistributorRoleAdminChangedEventName = "RoleAdminChanged"

// ContractEventName returns the user-defined event name.
func (RewardDistributorRoleAdminChanged) ContractEventName() string {
	return RewardDistributorRoleAdminChangedEventName
}

// UnpackRoleAdminChangedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event RoleAdminChanged(bytes32 indexed role, bytes32 indexed previousAdminRole, bytes32 indexed newAdminRole)
func (rewardDistributor *RewardDistributor) UnpackRoleAdminChangedEvent(log *types.Log) (*RewardDistributorRoleAdminChanged, error) {
	event := "RoleAdminChanged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorRoleAdminChanged)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorRoleGranted represents a RoleGranted event raised by the RewardDistributor contract.
type RewardDistributorRoleGranted struct {
	Role    [32]byte
	Account common.Address
	Sender  common.Address
	Raw     *types.Log // Blockchain specific contextual infos
}

const RewardDistributorRoleGrantedEventName = "RoleGranted"

// ContractEventName returns the user-defined event name.
func (RewardDistributorRoleGranted) ContractEventName() string {
	return RewardDistributorRoleGrantedEventName
}

// UnpackRoleGrantedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)
func (rewardDistributor *RewardDistributor) UnpackRoleGrantedEvent(log *types.Log) (*RewardDistributorRoleGranted, error) {
	event := "RoleGranted"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorRoleGranted)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorRoleRevoked represents a RoleRevoked event raised by the RewardDistributor contract.
type RewardDistributorRoleRevoked struct {
	Role    [32]byte
	Account common.Address
	Sender  common.Address
	Raw     *types.Log // Blockchain specific contextual infos
}

const RewardDistributorRoleRevokedEventName = "RoleRevoked"

// ContractEventName returns the user-defined event name.
func (RewardDistributorRoleRevoked) ContractEventName() string {
	return RewardDistributorRoleRevokedEventName
}

// UnpackRoleRevokedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)
func (rewardDistributor *RewardDistributor) UnpackRoleRevokedEvent(log *types.Log) (*RewardDistributorRoleRevoked, error) {
	event := "RoleRevoked"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorRoleRevoked)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorRootPublished represents a RootPublished event raised by the RewardDistributor contract.
type RewardDistributorRootPublished struct {
	Epoch    uint64
	Root     [32]byte
	Total    *big.Int
	Manifest [32]byte
	Raw      *types.Log // Blockchain specific contextual infos
}

const RewardDistributorRootPublishedEventName = "RootPublished"

// ContractEventName returns the user-defined event name.
func (RewardDistributorRootPublished) ContractEventName() string {
	return RewardDistributorRootPublishedEventName
}

// UnpackRootPublishedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event RootPublished(uint64 indexed epoch, bytes32 root, uint256 total, bytes32 manifest)
func (rewardDistributor *RewardDistributor) UnpackRootPublishedEvent(log *types.Log) (*RewardDistributorRootPublished, error) {
	event := "RootPublished"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorRootPublished)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// RewardDistributorUnpaused represents a Unpaused event raised by the RewardDistributor contract.
type RewardDistributorUnpaused struct {
	Account common.Address
	Raw     *types.Log // Blockchain specific contextual infos
}

const RewardDistributorUnpausedEventName = "Unpaused"

// ContractEventName returns the user-defined event name.
func (RewardDistributorUnpaused) ContractEventName() string {
	return RewardDistributorUnpausedEventName
}

// UnpackUnpausedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Unpaused(address account)
func (rewardDistributor *RewardDistributor) UnpackUnpausedEvent(log *types.Log) (*RewardDistributorUnpaused, error) {
	event := "Unpaused"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != rewardDistributor.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(RewardDistributorUnpaused)
	if len(log.Data) > 0 {
		if err := rewardDistributor.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range rewardDistributor.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (rewardDistributor *RewardDistributor) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["AccessControlBadConfirmation"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackAccessControlBadConfirmationError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["AccessControlUnauthorizedAccount"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackAccessControlUnauthorizedAccountError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["AlreadyAttested"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackAlreadyAttestedError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["BadLimits"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackBadLimitsError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["BadSignature"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackBadSignatureError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["EnforcedPause"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackEnforcedPauseError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["ExpectedPause"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackExpectedPauseError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["Expired"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackExpiredError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["InvalidShortString"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackInvalidShortStringError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["MoreThanOwed"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackMoreThanOwedError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["NothingToClaim"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackNothingToClaimError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["OldEpoch"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackOldEpochError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["StringTooLong"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackStringTooLongError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["TotalOutOfRange"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackTotalOutOfRangeError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["WindowExhausted"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackWindowExhaustedError(raw[4:])
	}
	if bytes.Equal(raw[:4], rewardDistributor.abi.Errors["WrongProof"].ID.Bytes()[:4]) {
		return rewardDistributor.UnpackWrongProofError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// RewardDistributorAccessControlBadConfirmation represents a AccessControlBadConfirmation error raised by the RewardDistributor contract.
type RewardDistributorAccessControlBadConfirmation struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error AccessControlBadConfirmation()
func RewardDistributorAccessControlBadConfirmationErrorID() common.Hash {
	return common.HexToHash("0x6697b23232a647058342c0724fe7c415cab25915b54e5dbc03f233173d37b41c")
}

// UnpackAccessControlBadConfirmationError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error AccessControlBadConfirmation()
func (rewardDistributor *RewardDistributor) UnpackAccessControlBadConfirmationError(raw []byte) (*RewardDistributorAccessControlBadConfirmation, error) {
	out := new(RewardDistributorAccessControlBadConfirmation)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "AccessControlBadConfirmation", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorAccessControlUnauthorizedAccount represents a AccessControlUnauthorizedAccount error raised by the RewardDistributor contract.
type RewardDistributorAccessControlUnauthorizedAccount struct {
	Account    common.Address
	NeededRole [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error AccessControlUnauthorizedAccount(address account, bytes32 neededRole)
func RewardDistributorAccessControlUnauthorizedAccountErrorID() common.Hash {
	return common.HexToHash("0xe2517d3fbfae6f8515ef5ff1ccedc3933ab0cbbda0b492c06eb54ad10ef03b3e")
}

// UnpackAccessControlUnauthorizedAccountError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error AccessControlUnauthorizedAccount(address account, bytes32 neededRole)
func (rewardDistributor *RewardDistributor) UnpackAccessControlUnauthorizedAccountError(raw []byte) (*RewardDistributorAccessControlUnauthorizedAccount, error) {
	out := new(RewardDistributorAccessControlUnauthorizedAccount)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "AccessControlUnauthorizedAccount", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorAlreadyAttested represents a AlreadyAttested error raised by the RewardDistributor contract.
type RewardDistributorAlreadyAttested struct {
	Epoch  uint64
	Oracle common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error AlreadyAttested(uint64 epoch, address oracle)
func RewardDistributorAlreadyAttestedErrorID() common.Hash {
	return common.HexToHash("0xd720cad58edc065c31f198fe340da1d5adbcad682fa178daefec41cebaecfc40")
}

// UnpackAlreadyAttestedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error AlreadyAttested(uint64 epoch, address oracle)
func (rewardDistributor *RewardDistributor) UnpackAlreadyAttestedError(raw []byte) (*RewardDistributorAlreadyAttested, error) {
	out := new(RewardDistributorAlreadyAttested)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "AlreadyAttested", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorBadLimits represents a BadLimits error raised by the RewardDistributor contract.
type RewardDistributorBadLimits struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadLimits()
func RewardDistributorBadLimitsErrorID() common.Hash {
	return common.HexToHash("0x2111a9e08dcbbbb4f21bcdfacd087f1415490c5a9d4b31348c5e6303a35ba5ca")
}

// UnpackBadLimitsError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadLimits()
func (rewardDistributor *RewardDistributor) UnpackBadLimitsError(raw []byte) (*RewardDistributorBadLimits, error) {
	out := new(RewardDistributorBadLimits)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "BadLimits", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorBadSignature represents a BadSignature error raised by the RewardDistributor contract.
type RewardDistributorBadSignature struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadSignature()
func RewardDistributorBadSignatureErrorID() common.Hash {
	return common.HexToHash("0x5cd5d2335541c4f2ed05fbe44f397e8b79f8e2333157122d2dab06e378ef7685")
}

// UnpackBadSignatureError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadSignature()
func (rewardDistributor *RewardDistributor) UnpackBadSignatureError(raw []byte) (*RewardDistributorBadSignature, error) {
	out := new(RewardDistributorBadSignature)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "BadSignature", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorEnforcedPause represents a EnforcedPause error raised by the RewardDistributor contract.
type RewardDistributorEnforcedPause struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error EnforcedPause()
func RewardDistributorEnforcedPauseErrorID() common.Hash {
	return common.HexToHash("0xd93c0665d6c96d04a8f174024fc4ddd66c250604aff22bbec808de86dd3637e3")
}

// UnpackEnforcedPauseError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error EnforcedPause()
func (rewardDistributor *RewardDistributor) UnpackEnforcedPauseError(raw []byte) (*RewardDistributorEnforcedPause, error) {
	out := new(RewardDistributorEnforcedPause)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "EnforcedPause", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorExpectedPause represents a ExpectedPause error raised by the RewardDistributor contract.
type RewardDistributorExpectedPause struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ExpectedPause()
func RewardDistributorExpectedPauseErrorID() common.Hash {
	return common.HexToHash("0x8dfc202bcfe9a735b559bee70674422512bc5c30f687046ae8778315fb81da44")
}

// UnpackExpectedPauseError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ExpectedPause()
func (rewardDistributor *RewardDistributor) UnpackExpectedPauseError(raw []byte) (*RewardDistributorExpectedPause, error) {
	out := new(RewardDistributorExpectedPause)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "ExpectedPause", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorExpired represents a Expired error raised by the RewardDistributor contract.
type RewardDistributorExpired struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error Expired()
func RewardDistributorExpiredErrorID() common.Hash {
	return common.HexToHash("0x203d82d8d99f63bfecc8335216735e0271df4249ea752b030f9ab305b94e5afe")
}

// UnpackExpiredError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error Expired()
func (rewardDistributor *RewardDistributor) UnpackExpiredError(raw []byte) (*RewardDistributorExpired, error) {
	out := new(RewardDistributorExpired)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "Expired", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorInvalidShortString represents a InvalidShortString error raised by the RewardDistributor contract.
type RewardDistributorInvalidShortString struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error InvalidShortString()
func RewardDistributorInvalidShortStringErrorID() common.Hash {
	return common.HexToHash("0xb3512b0c6163e5f0bafab72bb631b9d58cd7a731b082f910338aa21c83d5c274")
}

// UnpackInvalidShortStringError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error InvalidShortString()
func (rewardDistributor *RewardDistributor) UnpackInvalidShortStringError(raw []byte) (*RewardDistributorInvalidShortString, error) {
	out := new(RewardDistributorInvalidShortString)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "InvalidShortString", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorMoreThanOwed represents a MoreThanOwed error raised by the RewardDistributor contract.
type RewardDistributorMoreThanOwed struct {
	Left *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error MoreThanOwed(uint256 left)
func RewardDistributorMoreThanOwedErrorID() common.Hash {
	return common.HexToHash("0x4d5ff60fa7c9c5da3aab378b1e126a675f189a0fd9a651bfd4be50cc0eae08f5")
}

// UnpackMoreThanOwedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error MoreThanOwed(uint256 left)
func (rewardDistributor *RewardDistributor) UnpackMoreThanOwedError(raw []byte) (*RewardDistributorMoreThanOwed, error) {
	out := new(RewardDistributorMoreThanOwed)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "MoreThanOwed", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorNothingToClaim represents a NothingToClaim error raised by the RewardDistributor contract.
type RewardDistributorNothingToClaim struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NothingToClaim()
func RewardDistributorNothingToClaimErrorID() common.Hash {
	return common.HexToHash("0x969bf7288f744225521096ebffff657851af77dd4c63700d76b8d1cf6481d1f1")
}

// UnpackNothingToClaimError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NothingToClaim()
func (rewardDistributor *RewardDistributor) UnpackNothingToClaimError(raw []byte) (*RewardDistributorNothingToClaim, error) {
	out := new(RewardDistributorNothingToClaim)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "NothingToClaim", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorOldEpoch represents a OldEpoch error raised by the RewardDistributor contract.
type RewardDistributorOldEpoch struct {
	Epoch uint64
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OldEpoch(uint64 epoch)
func RewardDistributorOldEpochErrorID() common.Hash {
	return common.HexToHash("0xe157ff41c529e614b927cf878291d52f2e650f63422fcb9dfa261121c0b0053e")
}

// UnpackOldEpochError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OldEpoch(uint64 epoch)
func (rewardDistributor *RewardDistributor) UnpackOldEpochError(raw []byte) (*RewardDistributorOldEpoch, error) {
	out := new(RewardDistributorOldEpoch)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "OldEpoch", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorStringTooLong represents a StringTooLong error raised by the RewardDistributor contract.
type RewardDistributorStringTooLong struct {
	Str string
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error StringTooLong(string str)
func RewardDistributorStringTooLongErrorID() common.Hash {
	return common.HexToHash("0x305a27a93f8e33b7392df0a0f91d6fc63847395853c45991eec52dbf24d72381")
}

// UnpackStringTooLongError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error StringTooLong(string str)
func (rewardDistributor *RewardDistributor) UnpackStringTooLongError(raw []byte) (*RewardDistributorStringTooLong, error) {
	out := new(RewardDistributorStringTooLong)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "StringTooLong", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorTotalOutOfRange represents a TotalOutOfRange error raised by the RewardDistributor contract.
type RewardDistributorTotalOutOfRange struct {
	Total *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error TotalOutOfRange(uint256 total)
func RewardDistributorTotalOutOfRangeErrorID() common.Hash {
	return common.HexToHash("0x8bcea7efdf4b4bbf3311ac1d44e781828118f89361ab595c3cc5162e58cec88e")
}

// UnpackTotalOutOfRangeError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error TotalOutOfRange(uint256 total)
func (rewardDistributor *RewardDistributor) UnpackTotalOutOfRangeError(raw []byte) (*RewardDistributorTotalOutOfRange, error) {
	out := new(RewardDistributorTotalOutOfRange)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "TotalOutOfRange", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorWindowExhausted represents a WindowExhausted error raised by the RewardDistributor contract.
type RewardDistributorWindowExhausted struct {
	Left *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error WindowExhausted(uint256 left)
func RewardDistributorWindowExhaustedErrorID() common.Hash {
	return common.HexToHash("0xe1adc7dc9b9ec03aa223434d5ef4a8b03b04f970ef2977436fda3ff209404dd7")
}

// UnpackWindowExhaustedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error WindowExhausted(uint256 left)
func (rewardDistributor *RewardDistributor) UnpackWindowExhaustedError(raw []byte) (*RewardDistributorWindowExhausted, error) {
	out := new(RewardDistributorWindowExhausted)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "WindowExhausted", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// RewardDistributorWrongProof represents a WrongProof error raised by the RewardDistributor contract.
type RewardDistributorWrongProof struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error WrongProof()
func RewardDistributorWrongProofErrorID() common.Hash {
	return common.HexToHash("0x923983b95725ef8bba975b943fae190b70d615718a6d503ac530ba58b34141d6")
}

// UnpackWrongProofError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error WrongProof()
func (rewardDistributor *RewardDistributor) UnpackWrongProofError(raw []byte) (*RewardDistributorWrongProof, error) {
	out := new(RewardDistributorWrongProof)
	if err := rewardDistributor.abi.UnpackIntoInterface(out, "WrongProof", raw); err != nil {
		return nil, err
	}
	return out, nil
}
